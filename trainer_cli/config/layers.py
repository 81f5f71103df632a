"""The layers of an architecture in; every layer by itself out, blocks written out, with all names resolved.

A block stands for its layers as often as it is repeated, a shared layer for another one with the same weights. Behind
this module there are neither: an architecture is a list of nodes, each of which names those whose outputs it takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from trainer_cli.config.references import nearest
from trainer_cli.data.source import INPUT
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.parts.layer import Layer

BLOCK = "block"
SHARED = "shared"

Path = tuple[str | int, ...]


class Node(NamedTuple):
    """A layer where it is applied.

    `inputs` are the names of the nodes (or of the model's inputs) whose outputs it takes, `owner` is the name that its
    weights go by, which differs from its own if it shares those of another, `path` its place in the config.
    `learning_rate_multiplier` is that of the layer and of the blocks around it.
    """

    name: str
    layer: Layer
    inputs: list[str]
    path: Path
    owner: str
    trainable: bool
    learning_rate_multiplier: float = 1.0


class Nodes(NamedTuple):
    """An architecture written out: its nodes in order, the names of the model's inputs, and the nodes of its outputs.

    A model with one input calls it `input`, whatever its `input` layer is called. `outputs` maps the names that the
    config uses to nodes; `blocks` the names of blocks to the names of the weights' owners inside.
    """

    nodes: list[Node]
    inputs: list[str]
    outputs: dict[str, str]
    blocks: dict[str, list[str]]

    def declared(self, name: str) -> Node | None:
        """The `input` layer that declares an input of the model, None if there is none."""
        return next((node for node in self.nodes if node.layer.type == "input" and node.inputs == [name]), None)

    def owners(self, names: Sequence[str]) -> set[str]:
        """The owners of weights behind names of layers and blocks."""
        found: set[str] = set()
        for name in names:
            found.update(self.blocks.get(name, [name]))
        return found


def layer_names(layers: Sequence[Layer]) -> list[str]:
    """The layers' names: `name`, or `<type>_<n>` where n counts the layers of that type from 1, named ones included.

    So naming a layer, or adding one of another type, renames no other.
    """
    counts: Counter[str] = Counter()
    names = []
    for layer in layers:
        counts[layer.type] += 1
        names.append(layer.name if layer.name is not None else f"{layer.type}_{counts[layer.type]}")
    return names


def inner_layers(layer: Layer) -> Sequence[Layer]:
    """The layers of a block; none for any other layer."""
    inner: Any = getattr(layer, "layers", ()) if layer.type == BLOCK else ()
    return inner  # type: ignore[no-any-return]


def all_names(layers: Sequence[Layer], prefix: str = "") -> Iterator[str]:
    """The names of all layers and blocks once blocks are written out; shared layers have weights of another name."""
    for layer, short in zip(layers, layer_names(layers), strict=True):
        yield prefix + short
        for inner in _prefixes(layer, prefix + short) if layer.type == BLOCK else ():
            if inner != f"{prefix}{short}.":
                yield inner[:-1]
            yield from all_names(inner_layers(layer), inner)


def _prefixes(block: Layer, name: str) -> list[str]:
    repeat = int(getattr(block, "repeat", 1))
    return [f"{name}."] if repeat == 1 else [f"{name}.{number}." for number in range(1, repeat + 1)]


def write_out(layers: Sequence[Layer], inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> Nodes:
    """Write out an architecture. Raises ConfigError for names that mean nothing, layers nobody takes, and the like.

    `inputs` and `outputs` are what the config gives under these keys.
    """
    writer = _Writer()
    found = _model_inputs(layers, inputs, writer.problems)
    visible = {name: name for name in found}
    if len(found) == 1:
        visible = dict.fromkeys((INPUT, *(inputs or ())), INPUT)
    above = found[0] if len(found) == 1 else None
    last = writer.write(layers, ("architecture",), "", "", visible, above, found)
    ends = writer.ends(outputs, last)
    if not writer.problems:
        writer.check_use(found, set(ends.values()))
    if writer.problems:
        raise ConfigError(list(dict.fromkeys(writer.problems)))
    return Nodes(writer.nodes, found, ends, writer.blocks)


def _model_inputs(layers: Sequence[Layer], given: Sequence[str] | None, problems: list[Problem]) -> list[str]:
    declared = [name for layer, name in zip(layers, layer_names(layers), strict=True) if layer.type == "input"]
    if given is None:
        return declared if len(declared) > 1 else [INPUT]
    for position, name in enumerate(given):
        if name in given[:position]:
            problems.append(Problem(f"the input `{name}` is named twice", ("architecture", "inputs", position)))
    return list(given) if len(given) > 1 else [INPUT]


class _Definition(NamedTuple):
    """A layer or block that `shared` may name: itself, its place, and the name its weights go by."""

    layer: Layer
    path: Path
    owner: str


class _Writer:
    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.blocks: dict[str, list[str]] = {}
        self.problems: list[Problem] = []
        self.definitions: dict[str, _Definition] = {}
        self.visible: dict[str, str] = {}
        self.taken: set[str] = set()
        self.declared: set[str] = set()
        self.frozen = False
        self.multiplier = 1.0

    def write(
        self,
        layers: Sequence[Layer],
        path: Path,
        prefix: str,
        owner: str,
        outer: Mapping[str, str],
        above: str | None,
        model_inputs: Sequence[str] = (),
    ) -> str:
        """Write out a list of layers; the name of the node that is its result."""
        visible = dict(outer)
        names = layer_names(layers)
        for index, (layer, short) in enumerate(zip(layers, names, strict=True)):
            place = (*path, index)
            full = prefix + short
            if full in self.visible:
                message = f"two layers are called `{full}` once blocks are written out"
                self.problems.append(Problem(message, place, "give one of them another `name`"))
            if layer.type == "input":
                given = [self._declared(short, place, model_inputs)]
            else:
                given = self._given(layer, short, place, visible, above, names[index:])
            visible[short] = above = self._apply(layer, full, owner + short, given, place, visible)
            self.visible[full] = above
        assert above is not None
        return above

    def _apply(
        self, layer: Layer, name: str, owner: str, given: list[str], place: Path, visible: Mapping[str, str]
    ) -> str:
        if layer.type == SHARED:
            definition = self._shared(layer, name, place)
            if definition is None:
                return name
            if layer.learning_rate_multiplier != 1.0:
                message = (
                    f"{name}: a shared layer has no weights of its own that could be trained at a rate of their own"
                )
                hint = "give `learning_rate_multiplier` to the layer that it shares the weights of"
                self.problems.append(Problem(message, (*place, "learning_rate_multiplier"), hint))
            layer, owner = definition.layer, definition.owner
            if layer.type == BLOCK:
                return self._block(layer, name, owner, given, definition.path, visible)
        else:
            self.definitions[name] = _Definition(layer, place, owner)
        if layer.type == BLOCK:
            return self._block(layer, name, owner, given, place, visible)
        self._check_count(layer, name, given, place)
        trainable = layer.trainable and not self.frozen
        multiplier = layer.learning_rate_multiplier * self.multiplier
        self.nodes.append(Node(name, layer, given, place, owner, trainable, multiplier))
        return name

    def _block(
        self, block: Layer, name: str, owner: str, given: list[str], place: Path, visible: Mapping[str, str]
    ) -> str:
        """Write out a block: each repetition takes the result of the one before, and the block's further inputs."""
        frozen, self.frozen = self.frozen, self.frozen or not block.trainable
        multiplier, self.multiplier = self.multiplier, self.multiplier * block.learning_rate_multiplier
        first = len(self.nodes)
        for prefix, owner_prefix in zip(_prefixes(block, name), _prefixes(block, owner), strict=True):
            start = len(self.nodes)
            own = {INPUT: given[0]} if len(given) == 1 else {f"{INPUT}_{n + 1}": each for n, each in enumerate(given)}
            inner = {**{key: value for key, value in visible.items() if key != INPUT}, **own}
            result = self.write(inner_layers(block), (*place, "layers"), prefix, owner_prefix, inner, given[0])
            self.blocks[prefix[:-1]] = [node.owner for node in self.nodes[start:]]
            given = [result, *given[1:]]
            if self.problems:
                break
        self.blocks[name] = [node.owner for node in self.nodes[first:]]
        self.frozen, self.multiplier = frozen, multiplier
        return given[0]

    def _shared(self, layer: Layer, name: str, place: Path) -> _Definition | None:
        of = str(getattr(layer, "of", ""))
        known = [other for other in self.definitions if other != name]
        parts = name.split(".")
        # Inside a block its own layers come first, then those of the blocks around it.
        around = [".".join([*parts[:depth], of]) for depth in range(len(parts) - 1, -1, -1)]
        of = next((each for each in around if each in known), of)
        if of in known and self.definitions[of].layer.type != "input":
            return self.definitions[of]
        near = nearest(of, known)
        hint = f"did you mean `{near}`?" if near else f"layers above: {', '.join(known[:20]) or 'none'}"
        problem = f"{name}: there is no layer `{of}` above whose weights it could share"
        if of in known:
            problem = f"{name}: `{of}` is an `input` layer, which has no weights to share"
        self.problems.append(Problem(problem, (*place, "of"), hint))
        return None

    def _declared(self, name: str, place: Path, model_inputs: Sequence[str]) -> str:
        """The input of the model that an `input` layer declares."""
        if not model_inputs:
            self.problems.append(Problem(f"{name}: an `input` layer cannot stand in a block", (*place, "type")))
            return name
        if list(model_inputs) == [INPUT]:
            if any(node.layer.type == "input" for node in self.nodes):
                self.problems.append(Problem(f"{name}: `inputs` names one input of the model", (*place, "name")))
            elif self.nodes:
                message = f"{name}: an `input` layer stands first where the model has one input"
                self.problems.append(Problem(message, (*place, "type")))
            return INPUT
        if name not in model_inputs:
            message = f"`{name}` is not among the inputs of the model: {', '.join(model_inputs)}"
            self.problems.append(Problem(message, (*place, "name"), "name it under `inputs` of the architecture"))
        return name

    def _given(
        self, layer: Layer, name: str, place: Path, visible: Mapping[str, str], above: str | None, later: Sequence[str]
    ) -> list[str]:
        if name == INPUT:
            message = "a layer cannot be called `input`: that is the input of the model or block"
            self.problems.append(Problem(message, (*place, "name")))
        if layer.inputs is None:
            if above is None:
                message = f"{name}: the model has several inputs, and no layer stands above this one"
                hint = f"say which it takes: `inputs: [{next(iter(visible), INPUT)}]`"
                self.problems.append(Problem(message, place, hint))
                return [INPUT]
            return [above]
        found = []
        for position, wanted in enumerate(layer.inputs):
            node = visible.get(wanted) or self.visible.get(wanted)
            if node is None:
                known = list(visible)
                near = nearest(wanted, known)
                hint = f"did you mean `{near}`?" if near else f"layers above: {', '.join(known)}"
                where = "stands below" if wanted in later else "does not exist"
                message = f"{name}: the layer `{wanted}` {where}; `inputs` name layers above"
                self.problems.append(Problem(message, (*place, "inputs", position), hint))
            found.append(node or wanted)
        return found

    def _check_count(self, layer: Layer, name: str, given: Sequence[str], place: Path) -> None:
        (self.declared if layer.type == "input" else self.taken).update(given)
        fewest, most = layer.input_count
        if fewest <= len(given) and (most is None or len(given) <= most):
            return
        plural = "s" if (most or 2) > 1 else ""
        if most is None:
            expected = f"at least {fewest}"
        else:
            expected = str(fewest) if most == fewest else f"{fewest} to {most}"
        message = f"{name}: {layer.type} takes {expected} input{plural}, not {len(given)}"
        hint = "name the layers whose outputs it takes: `inputs: [first, second]`"
        path = (*place, "inputs") if layer.inputs is not None else place
        self.problems.append(Problem(message, path, hint))

    def ends(self, outputs: Sequence[str] | None, last: str) -> dict[str, str]:
        """The nodes that are the model's outputs, by the names that the config uses for them."""
        if outputs is None:
            return {last: last}
        ends: dict[str, str] = {}
        for position, name in enumerate(outputs):
            place: Path = ("architecture", "outputs", position)
            if name not in self.visible:
                near = nearest(name, self.visible)
                hint = f"did you mean `{near}`?" if near else f"layers: {', '.join(self.visible)}"
                self.problems.append(Problem(f"no layer is called `{name}`", place, hint))
            elif self.visible[name] in ends.values():
                self.problems.append(Problem(f"the output of `{name}` is named twice", place))
            else:
                ends[name] = self.visible[name]
        return ends

    def check_use(self, model_inputs: Sequence[str], ends: set[str]) -> None:
        """Complain of inputs and layers whose values go nowhere."""
        for name in model_inputs:
            if name not in self.taken | self.declared:
                self.problems.append(Problem(f"no layer takes the input `{name}`", ("architecture",)))
        for node in self.nodes:
            if node.layer.type == "input" and node.name in ends:
                self.problems.append(Problem(f"`{node.name}` is an input and cannot be an output", node.path))
            elif node.name not in self.taken and node.name not in ends:
                hint = "name it in the `inputs` of a layer below or under `outputs`, or leave it out"
                self.problems.append(Problem(f"no layer takes the output of `{node.name}`", node.path, hint))
