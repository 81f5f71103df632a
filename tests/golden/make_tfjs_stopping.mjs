// Monitored values, epoch by epoch; when TensorFlow.js stops, and which value it holds for the best, written to
// `tfjs_stopping.json` beside this file, out.
//
// Not a test and never run by one. It needs Node and a folder with the package:
//     npm install @tensorflow/tfjs@4.22.0 && node <this file>
// A case is what a config gives under `early_stopping`, in TensorFlow.js's words, and the values of its epochs.
import {writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';

const tf = createRequire(join(process.cwd(), 'package.json'))('@tensorflow/tfjs');

const CASES = [
  [{}, [3, 2, 1, 0.5]],
  [{}, [3, 2, 2, 1]],
  [{patience: 2}, [3, 4, 5, 6]],
  [{patience: 2}, [3, 4, 2, 4, 4, 1]],
  [{patience: 3, minDelta: 0.1}, [1.0, 0.95, 0.91, 0.86, 0.8]],
  [{patience: 2, minDelta: 0.1}, [1.0, 0.95, 0.94]],
  [{mode: 'max', patience: 1}, [0.1, 0.2, 0.2, 0.4]],
  [{mode: 'max', patience: 2, minDelta: 0.1}, [0.1, 0.15, 0.25, 0.3, 0.34, 0.5]],
  [{baseline: 1}, [5, 0.5]],
  [{baseline: 1, patience: 1}, [5, 0.5]],
  [{baseline: 1, patience: 2}, [5, 4, 3, 3.5]],
  [{baseline: 1, patience: 2}, [5, 0.5, 3, 3, 0.1]],
  [{baseline: 1, patience: 3}, [5, 4, 0.9, 0.95, 0.8, 2, 2, 2, 2]],
  [{baseline: 1, patience: 2, minDelta: 0.25}, [0.8, 0.76, 0.5]],
  [{baseline: 0.5, patience: 2, mode: 'max'}, [0.4, 0.6, 0.5, 0.7, 0.65, 0.66, 0.9]],
  [{baseline: 1, patience: 2}, [1, 1, 0.5]],
  [{monitor: 'val_acc', patience: 2}, [0.1, 0.3, 0.5, 0.4, 0.45, 0.6]],
  [{monitor: 'val_precision', patience: 2}, [0.1, 0.3, 0.5, 0.4, 0.45, 0.6]],
];

const cases = [];
for (const [settings, values] of CASES) {
  const monitor = settings.monitor ?? 'val_loss';
  const stopping = tf.callbacks.earlyStopping(settings);
  const model = {stopTraining: false};
  stopping.model = model;  // of a model it does nothing but to set this
  await stopping.onTrainBegin();
  let epochs = 0;
  while (epochs < values.length && !model.stopTraining) {
    await stopping.onEpochEnd(epochs, {[monitor]: values[epochs]});
    epochs += 1;
  }
  cases.push({settings, values, epochs, best: stopping.best});
}
const lines = cases.map((each) => JSON.stringify(each)).join(',\n');
writeFileSync(new URL('tfjs_stopping.json', import.meta.url), `{"tfjs":"${tf.version.tfjs}","cases":[\n${lines}\n]}\n`);
