"""The axes that attention goes along, and those that it leaves alone."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..engine.lowering import Lowering
from ..geometry import maps
from .types import Shape


class AttendedAxes(NamedTuple):
    """The axes between samples and features: others, as if these were more samples, and those that are attended to."""

    others: Shape  # sizes, in their order; both of queries and of keys
    queries: Shape  # sizes of those that are attended to, in the order in which they are named
    keys: Shape
    order: tuple[int, ...]  # of all axes between samples and features: the others, and then those

    @property
    def is_one(self) -> bool:
        """Whether queries and keys lie along one axis each."""
        return len(self.queries) == len(self.keys) == 1

    @property
    def parts(self) -> int:
        """Into how many parts a sample falls."""
        return math.prod(self.others)

    @property
    def _is_in_order(self) -> bool:
        return list(self.order) == sorted(self.order)

    def moved(self, net: Lowering, x: int, shape: Shape) -> int:
        """Tensor `x`, its axes in this order: `shape` begins with them."""
        if self._is_in_order:
            return x
        return net.permute(x, shape, (*self.order, *range(len(self.order), len(shape))))

    def moved_back(self, net: Lowering, x: int, shape: Shape) -> int:
        """What lies in this order, as samples of `shape`."""
        if self._is_in_order:
            return x
        moved = [shape[axis] for axis in self.order]
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        more = shape[len(self.order) :]
        return net.permute(x, (*moved, *more), (*back, *range(len(moved), len(shape))))

    def mask_sizes(self, mask: Shape, heads: int) -> tuple[Shape, tuple[int, int]] | None:
        """The sizes of an attention mask along the others and the heads, and along queries and keys, 1 where it is
        repeated; None where there is no such mask."""
        attended, whole = len(self.queries + self.keys), (*self.others, heads)
        own, lead = mask[len(mask) - attended :], mask[: len(mask) - attended]
        of_queries, of_keys = own[: len(self.queries)], own[len(self.queries) :]
        fits = len(own) == attended and len(lead) <= len(whole)
        lead = (*lead, *(1,) * (len(whole) - len(lead)))
        fits = fits and all(size in (1, full) for size, full in zip(lead, whole, strict=True))
        if not (
            fits
            and of_queries in (self.queries, (1,) * len(of_queries))
            and of_keys in (self.keys, (1,) * len(of_keys))
        ):
            return None
        return lead, (math.prod(of_queries), math.prod(of_keys))

    def mask_of_parts(self, net: Lowering, mask: int, lead: Shape, own: Shape) -> int:
        """An attention mask with elements for each part: it is repeated where it is not."""
        if lead[:-1] == self.others:
            return mask
        axes = [maps.repeated(size, full // size) for size, full in zip(lead, self.others, strict=False)]
        return net.resample(mask, maps.product(axes, lead[-1] * math.prod(own)))


def attended(queries: Shape, keys: Shape, axes: tuple[int, ...] | None) -> AttendedAxes | str:
    """The axes of queries and keys of these sizes, where attention goes along `axes`: numbers as those of Keras, in
    which 0 is that of the samples, and None means all; in words, what is wrong."""
    if axes is None:
        return AttendedAxes((), queries, keys, tuple(range(len(queries))))
    count = len(queries)
    numbers = [axis - 1 if axis >= 0 else axis + count + 1 for axis in axes]
    if len(set(numbers)) < len(numbers) or not all(0 <= number < count for number in numbers):
        known = ", ".join(map(str, range(1, count + 1)))
        return f"has attention_axes={axes}: they must be among the axes between samples and features, {known}."
    others = [number for number in range(count) if number not in numbers]
    if len(keys) != count or any(queries[number] != keys[number] for number in others):
        return (
            f"has attention_axes={axes}: query and key must have the same sizes along all other axes, but have "
            f"samples of the shapes {(*queries, 'size')} and {(*keys, 'size')}.".replace("'", "")
        )
    return AttendedAxes(
        tuple(queries[number] for number in others),
        tuple(queries[number] for number in numbers),
        tuple(keys[number] for number in numbers),
        (*others, *numbers),
    )
