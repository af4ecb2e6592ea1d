"""Below what ids must be: those that inputs hold, and those that are computed of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class IdStep(NamedTuple):
    """Ids that are taken from others, or computed of them."""

    function: Callable[..., NDArray[Any]]  # of arrays of samples
    of: tuple[int, ...]  # the numbers of the arrays that it is given

    def __eq__(self, other: object) -> bool:
        """Whether they take the same arrays: the functions are of layers, which a trial makes anew."""
        return isinstance(other, IdStep) and self.of == other.of

    def __hash__(self) -> int:
        return hash(self.of)


class Computed(NamedTuple):
    """Limits of ids that are taken from inputs, or computed of several of them.

    Attributes:
        steps: How they come out of the inputs. Arrays are numbered: the inputs, and then what each step makes.
        limits: The numbers of arrays, and below what their ids must be.
    """

    steps: tuple[IdStep, ...] = ()
    limits: tuple[tuple[int, int], ...] = ()

    def check(self, inputs: Sequence[NDArray[Any]], names: Sequence[str], of: Sequence[str]) -> None:
        """Raise ValueError where ids are not below their limit. `names` are those of the arrays, `of` of the inputs."""
        arrays = list(inputs)
        for step in self.steps:
            arrays.append(step.function(*(arrays[number] for number in step.of)))
        for number, below in self.limits:
            outside = (arrays[number] < 0) | (arrays[number] >= below)
            if outside.any():
                place = np.argwhere(outside)[0]
                needed = [n for n in sorted(self._needed_for([number], len(inputs))) if n < len(inputs)]
                inputs_of = ("input " if len(needed) == 1 else "inputs ") + " and ".join(repr(of[n]) for n in needed)
                raise ValueError(
                    f"An id that is taken from the {inputs_of} must be in [0, {below}), but found "
                    f"{arrays[number][tuple(place)]} at row {place[0]} of {' and '.join(names[n] for n in needed)}."
                )

    def needed(self, inputs: int) -> Computed:
        """The same limits, with the steps alone that lead to them, of so many inputs."""
        needed = self._needed_for([number for number, _ in self.limits], inputs)
        kept = [*range(inputs), *sorted(n for n in needed if n >= inputs)]
        return Computed(tuple(self.steps[n - inputs] for n in kept[inputs:]), self.limits).renumbered(
            {number: place for place, number in enumerate(kept)}
        )

    def renumbered(self, numbers: Mapping[int, int]) -> Computed:
        """The same, where arrays have other numbers."""
        steps = (step._replace(of=tuple(numbers[each] for each in step.of)) for step in self.steps)
        return Computed(tuple(steps), tuple((numbers[number], below) for number, below in self.limits))

    def _needed_for(self, numbers: Sequence[int], inputs: int) -> set[int]:
        """The arrays of which these are made, and they themselves."""
        needed = set(numbers)
        for place in reversed(range(len(self.steps))):
            if inputs + place in needed:
                needed.update(self.steps[place].of)
        return needed


class Limits(NamedTuple):
    """Below what the whole numbers of inputs must be.

    Attributes:
        each: For each input: below what its whole numbers must be, from 0 on; 0 where it has numbers of the model's
            type.
        computed: The limits of what is computed of them.
    """

    each: tuple[int, ...]
    computed: Computed = Computed()

    def behind(self, function: Callable[..., NDArray[Any]]) -> Limits:
        """The same limits, for arrays of which `function` makes those that these are about."""
        if not self.computed.limits:
            return self
        count = len(self.each)
        first = (IdStep(function, (number,)) for number in range(count))
        later = self.computed.renumbered({n: n + count for n in range(count + len(self.computed.steps))})
        return self._replace(computed=Computed((*first, *later.steps), later.limits).needed(count))


# Below what ids are that no embedding reads.
ANY_ID = 2**31 - 1
