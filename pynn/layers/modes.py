"""What a `call` does in training and otherwise, as one wiring: it is run for both modes, and the two become one.

What it adds to the loss is a part of that, as it may differ between the modes, too.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import symbolic
from .of_batch import REDUCTIONS
from .symbolic import SymbolicTensor
from .trial import running
from .wiring import Layer, Step, Wiring

# A wiring, and its outputs in the form of the call and one by one. Behind these comes what was added to the loss.
Run = tuple[Wiring, Any, list[SymbolicTensor]]


def both_modes(takes_training: bool, run: Callable[[bool | None], Run], layer: Any) -> Run:
    """What a call does: where it takes `training`, in training and otherwise, as one. It must be on trial."""
    trial = running()

    def run_in(mode: bool | None, adds: frozenset[str]) -> tuple[Run, frozenset[str]]:
        trial.training, trial.adds = mode, adds
        made = run(mode)
        return made, adds.union(*(loss.parts for loss in trial.losses))

    nothing = frozenset[str]()
    if not takes_training:
        found, adds = run_in(None, nothing)
        return _taking_along(*found, adds)
    (found, adds), (found_otherwise, adds_otherwise) = run_in(True, nothing), run_in(False, nothing)
    if adds != adds_otherwise:  # in one mode alone: once more, with a loss of 0 in the other
        adds |= adds_otherwise
        (found, _), (found_otherwise, _) = run_in(True, adds), run_in(False, adds)
    (wiring, outputs, ends), (other, _, other_ends) = found, found_otherwise
    if [y.sample for y in ends] != [y.sample for y in other_ends]:
        raise layer._shape_error(
            f"gives samples of shape {_listed(y.sample for y in ends)} in training, and of shape "
            f"{_listed(y.sample for y in other_ends)} otherwise: they must be the same."
        )
    choices = [symbolic.arithmetic("choose", *pair).node.layer for pair in zip(ends, other_ends, strict=True)]
    wiring = merged(wiring, other, choices)
    return _taking_along(wiring, outputs, ends, adds)


def _listed(shapes: Any) -> str:
    return " and ".join(map(str, shapes))


def with_added_loss(ends: list[SymbolicTensor]) -> list[SymbolicTensor]:
    """The ends of a call, and behind them what it has added to the loss, where there is any: by means, and by sums."""
    trial = running()
    parts = functools.reduce(operator.add, trial.losses).parts if trial.losses else {}
    found = [*ends]
    for reduction in REDUCTIONS:
        if reduction in parts:
            found.append(parts[reduction])
        elif reduction in trial.adds:
            found.append(symbolic.constant(np.zeros(()), trial.inputs[0]))
    return found


def _taking_along(wiring: Wiring, outputs: Any, ends: list[SymbolicTensor], adds: frozenset[str]) -> Run:
    """The run whose first output takes along the last ones, which are these parts of the loss."""
    count = len(wiring.outputs) - len(adds)
    first, *others = wiring.outputs[:count]
    steps, layers = list(wiring.steps), dict.fromkeys(wiring.layers)
    reductions = [reduction for reduction in REDUCTIONS if reduction in adds]
    for made, (reduction, loss) in enumerate(zip(reductions, wiring.outputs[count:], strict=True), wiring.tensors):
        layer = symbolic.with_loss(reduction)
        steps.append(Step(layer, (first, loss), (made,)))
        layers[layer], first = None, made
    return Wiring(tuple(steps), wiring.inputs, (first, *others), tuple(layers)), outputs, ends[:count]


def merged(training: Wiring, other: Wiring, choices: Sequence[Layer]) -> Wiring:
    """The wiring that is `training` in training and `other` otherwise, of the same inputs.

    What both do alike is there once. Where the outputs differ, `choices` choose: a layer for each output.
    """
    waiting: dict[tuple[Any, ...], list[Step]] = {}
    for step in training.steps:
        waiting.setdefault((step.inputs, step.masks, step.settings), []).append(step)
    steps, tensors = list(training.steps), dict(zip(other.inputs, training.inputs, strict=True))
    count = training.tensors
    for step in other.steps:
        inputs = tuple(tensors[x] for x in step.inputs)
        masks = tuple(None if mask is None else tensors[mask] for mask in step.masks)
        of_step = inputs, masks, step.settings
        twin = next((each for each in waiting.get(of_step, ()) if _are_alike(each, step)), None)
        if twin is None:
            made = tuple(range(count, count + len(step.outputs)))
            twin = Step(step.layer, inputs, made, bool(step.training), masks, step.settings)
            steps.append(twin)
            count += len(step.outputs)
        else:
            waiting[of_step].remove(twin)
            if step.training:  # also otherwise, so always
                steps[steps.index(twin)] = twin._replace(training=True)
        tensors.update(zip(step.outputs, twin.outputs, strict=True))
    outputs = []
    for y, other_y, choice in zip(training.outputs, other.outputs, choices, strict=True):
        if tensors[other_y] == y:
            outputs.append(y)
            continue
        steps.append(Step(choice, (y, tensors[other_y]), (count,)))
        outputs.append(count)
        count += 1
    layers = dict.fromkeys((*training.layers, *(step.layer for step in steps)))
    return Wiring(tuple(steps), training.inputs, tuple(outputs), tuple(layers))


def _are_alike(in_training: Step, otherwise: Step) -> bool:
    """Whether a step of training and one of the other mode are one step: of one layer, or of two that do the same.

    What a call makes anew has the same settings each time.
    """
    if otherwise.training and in_training.training is False:  # each told the opposite of what the model does
        return False
    one, other = in_training.layer, otherwise.layer
    if one is other:
        return True
    if type(one) is not type(other) or [*map(id, one.weights)] != [*map(id, other.weights)]:
        return False
    try:
        settings = [{**layer.get_config(), "name": None} for layer in (one, other)]
    except NotImplementedError:  # of a layer of one's own, which is none of this kind
        return False
    return bool(settings[0] == settings[1])
