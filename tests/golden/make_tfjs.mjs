// TensorFlow.js's models in; what they lose, learn and predict in ten steps, written to `tfjs.json` beside this file, out.
//
// Not a test and never run by one. It needs Node and a folder with the package:
//     npm install @tensorflow/tfjs@4.22.0 && node <this file>
// Models are given in TensorFlow.js's words, which are this project's in camelCase: the test reads them as a config.
import {writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';

const tf = createRequire(join(process.cwd(), 'package.json'))('@tensorflow/tfjs');
const STEPS = 10, ROWS = 6;

// Numbers between -1 and 1, the same on every machine.
let seed = 1;
const random = () => { seed = (seed * 16807) % 2147483647; return Math.round(2e4 * (seed / 2147483647) - 1e4) / 1e4; };
const values = (shape, scale = 1) => {
  if (shape.length === 0) return Math.round(random() * scale * 1e4) / 1e4;
  return Array.from({length: shape[0]}, () => values(shape.slice(1), scale));
};
const labels = (classes) => Array.from({length: ROWS}, (_, row) => [row % classes]);
const oneHot = (classes) => labels(classes).map(([label]) => Array.from({length: classes}, (_, k) => +(k === label)));
const mapped = (nested, f) => Array.isArray(nested) ? nested.map((each) => mapped(each, f)) : f(nested);

const dense = (units, activation) => ({type: 'dense', units, activation});
const vectors = () => values([ROWS, 4]);
// Scores far from 0, so that probabilities are kept from 0 and 1.
const far = () => values([ROWS, 4], 60);
const signs = () => mapped(values([ROWS, 2]), (x) => (x > 0 ? 1 : -1));
const positive = () => mapped(values([ROWS, 2]), (x) => Math.abs(x) + 0.1);
const sequence = () => values([ROWS, 3, 2]);

const onDense = (optimizer) => ({layers: [dense(2, 'tanh')], loss: 'meanSquaredError', optimizer, x: vectors(), y: values([ROWS, 2])});
const onSequence = (layer) => ({layers: [layer, dense(2, 'linear')], loss: 'meanSquaredError', optimizer: {type: 'sgd', learningRate: 0.1}, x: sequence(), y: values([ROWS, 2])});
const onLoss = (loss, activation, y, x = vectors()) => ({layers: [dense(mapped(y, (each) => each)[0].length, activation)], loss, optimizer: {type: 'sgd', learningRate: 0.05}, x, y});

const CASES = {
  'categorical crossentropy': onLoss('categoricalCrossentropy', 'softmax', oneHot(3)),
  'categorical crossentropy, far': onLoss('categoricalCrossentropy', 'softmax', oneHot(3), far()),
  'sparse crossentropy, far': {...onLoss('sparseCategoricalCrossentropy', 'softmax', labels(3), far()), layers: [dense(3, 'softmax')]},
  'binary crossentropy': onLoss('binaryCrossentropy', 'sigmoid', mapped(signs(), (x) => +(x > 0))),
  'binary crossentropy, far': onLoss('binaryCrossentropy', 'sigmoid', mapped(signs(), (x) => +(x > 0)), far()),
  'divergence': onLoss('kullbackLeiblerDivergence', 'softmax', oneHot(3)),
  'divergence, far': onLoss('kullbackLeiblerDivergence', 'softmax', oneHot(3), far()),
  'cosine of short vectors': onLoss('cosineProximity', 'linear', mapped(values([ROWS, 2]), (x) => x / 5e3), mapped(vectors(), (x) => x / 1e4)),
  'squared error': onLoss('meanSquaredError', 'linear', values([ROWS, 2])),
  'absolute error': onLoss('meanAbsoluteError', 'linear', values([ROWS, 2], 9)),
  'percentage error': onLoss('meanAbsolutePercentageError', 'linear', positive()),
  'logarithmic error': onLoss('meanSquaredLogarithmicError', 'softplus', positive()),
  'hinge': onLoss('hinge', 'tanh', signs()),
  'squared hinge': onLoss('squaredHinge', 'tanh', signs()),
  'categorical hinge': onLoss('categoricalHinge', 'linear', oneHot(3)),
  'log cosh': onLoss('logcosh', 'linear', values([ROWS, 2], 3)),
  'poisson': onLoss('poisson', 'softplus', positive()),
  'sgd': onDense('sgd'),
  'adam': onDense('adam'),
  'adam, large epsilon': onDense({type: 'adam', learningRate: 0.01, beta1: 0.8, beta2: 0.95, epsilon: 0.01}),
  'adagrad': onDense('adagrad'),
  'adamax': onDense('adamax'),
  'rmsprop': onDense('rmsprop'),
  'rmsprop, momentum': onDense({type: 'rmsprop', learningRate: 0.01, rho: 0.8, momentum: 0.7}),
  'momentum, two rates': {...onDense({type: 'sgd', learningRate: 0.1, momentum: 0.8}), then: 0.01},
  'nesterov, two rates': {...onDense({type: 'sgd', learningRate: 0.1, momentum: 0.8, nesterov: true}), then: 0.01},
  'simple rnn': onSequence({type: 'simpleRNN', units: 3}),
  'gru': onSequence({type: 'gru', units: 3}),
  'lstm': onSequence({type: 'lstm', units: 3}),
  'bidirectional gru': onSequence({type: 'bidirectional', layer: {type: 'gru', units: 2}, mergeMode: 'concat'}),
  'hard sigmoid': onLoss('meanSquaredError', 'hardSigmoid', values([ROWS, 2]), values([ROWS, 4], 4)),
  'l1l2': {...onDense('sgd'), layers: [{...dense(2, 'tanh'), kernelRegularizer: 'l1l2'}]},
  'convolution': {layers: [{type: 'conv2d', filters: 2, kernelSize: 2}, {type: 'flatten'}, dense(2, 'linear')], loss: 'meanSquaredError', optimizer: 'sgd', x: values([ROWS, 3, 3, 2]), y: values([ROWS, 2])},
  'conv lstm': {layers: [{type: 'convLstm2d', filters: 2, kernelSize: 2}, {type: 'flatten'}, dense(2, 'linear')], loss: 'meanSquaredError', optimizer: 'sgd', x: values([ROWS, 2, 3, 3, 1]), y: values([ROWS, 2])},
  'normalized': {layers: [dense(3, 'linear'), {type: 'batchNormalization'}, {type: 'leakyReLU'}, dense(2, 'linear')], loss: 'meanSquaredError', optimizer: 'sgd', x: vectors(), y: values([ROWS, 2])},
};

function layer({type, layer: inner, ...rest}, inputShape) {
  const place = inputShape ? {inputShape} : {};
  return tf.layers[type]({...rest, ...(inner ? {layer: layer(inner)} : {}), ...place});
}

function optimizer(given) {
  if (typeof given === 'string') return given;
  const {type, learningRate, momentum, nesterov, rho, beta1, beta2, epsilon} = given;
  if (type === 'adam') return tf.train.adam(learningRate, beta1, beta2, epsilon);
  if (type === 'rmsprop') return tf.train.rmsprop(learningRate, rho, momentum, 1e-7);
  return momentum ? tf.train.momentum(learningRate, momentum, nesterov) : tf.train.sgd(learningRate);
}

async function compute({layers, loss, optimizer: given, x, y, then}) {
  const inputs = tf.tensor(x), targets = tf.tensor(y), model = tf.sequential();
  layers.forEach((each, place) => model.add(layer(each, place === 0 ? inputs.shape.slice(1) : undefined)));
  model.compile({optimizer: optimizer(given), loss});
  const saturated = Math.abs(x.flat(9)[0]) > 5;
  model.setWeights(model.getWeights().map((weight, place) =>
    tf.tensor(mapped(values(weight.shape, saturated ? 2 : 0.7), (each) => (layers.some(({type}) => type === 'batchNormalization') && place === model.getWeights().length - 1 ? Math.abs(each) + 1 : each)))));
  const plain = (weights) => weights.map((weight) => weight.arraySync());
  const before = plain(model.getWeights());
  const losses = [];
  for (let step = 0; step < STEPS; step++) {
    if (then && step === STEPS / 2) model.optimizer.setLearningRate(then);
    losses.push(await model.trainOnBatch(inputs, targets));
  }
  const evaluated = model.evaluate(inputs, targets, {batchSize: 4}).dataSync()[0];
  return {before, losses, after: plain(model.getWeights()), evaluated, predicted: model.predict(inputs).arraySync()};
}

// The deviation of the first values of a large kernel, by layer: which initializer a layer has by default.
function deviations() {
  const found = {};
  for (const [type, shape, more] of [['dense', [300], {units: 300}], ['simpleRNN', [2, 300], {units: 300}], ['depthwiseConv2d', [9, 9, 60], {kernelSize: 9}], ['conv2d', [9, 9, 40], {filters: 40, kernelSize: 9}]]) {
    const made = tf.sequential({layers: [layer({type, ...more}, shape)]});
    found[type] = tf.moments(made.getWeights()[0]).variance.sqrt().dataSync()[0];
  }
  return found;
}

// Their numbers are drawn behind all others, so that those stay what they were. TensorFlow.js cannot learn through a
// window whose taps lie apart, nor through a transposed convolution of volumes: these are not trained.
const onSpace = (layer, shape) => ({layers: [layer, {type: 'flatten'}, dense(2, 'linear')], loss: 'meanSquaredError', optimizer: 'sgd', x: values([ROWS, ...shape]), y: values([ROWS, 2])});
const moreCases = () => ({
  'convolution, 1-D': onSpace({type: 'conv1d', filters: 3, kernelSize: 2, activation: 'tanh'}, [5, 2]),
  'convolution, 1-D, dilated': onSpace({type: 'conv1d', filters: 2, kernelSize: 3, dilationRate: 2, padding: 'same', useBias: false, trainable: false}, [6, 2]),
  'convolution, 3-D': onSpace({type: 'conv3d', filters: 2, kernelSize: 2}, [3, 3, 2, 2]),
  'convolution, 3-D, strides': onSpace({type: 'conv3d', filters: 2, kernelSize: [1, 2, 2], strides: [1, 2, 1], padding: 'same', activation: 'tanh'}, [2, 3, 3, 1]),
  'transposed convolution': onSpace({type: 'conv2dTranspose', filters: 2, kernelSize: 2}, [3, 2, 2]),
  'transposed convolution, strides': onSpace({type: 'conv2dTranspose', filters: 3, kernelSize: 3, strides: 2, padding: 'same', activation: 'tanh'}, [2, 3, 2]),
  'transposed convolution, 3-D': onSpace({type: 'conv3dTranspose', filters: 2, kernelSize: 2, trainable: false}, [2, 2, 3, 2]),
  'transposed convolution, 3-D, strides': onSpace({type: 'conv3dTranspose', filters: 2, kernelSize: 2, strides: [1, 2, 2], padding: 'same', trainable: false}, [2, 2, 2, 1]),
  'separable convolution': onSpace({type: 'separableConv2d', filters: 3, kernelSize: 2, depthMultiplier: 2}, [3, 4, 2]),
  'depthwise convolution': onSpace({type: 'depthwiseConv2d', kernelSize: 2, depthMultiplier: 2, strides: 2, padding: 'same'}, [3, 4, 2]),
});

const cases = {};
for (const [name, given] of Object.entries(CASES)) cases[name] = {...given, ...(await compute(given))};
for (const [name, given] of Object.entries(moreCases())) cases[name] = {...given, ...(await compute(given))};
const content = {tfjs: tf.version_core, steps: STEPS, cases, deviations: deviations()};
writeFileSync(new URL('tfjs.json', import.meta.url), JSON.stringify(content) + '\n');
