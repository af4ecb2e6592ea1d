"""Where the boxes of a network lie: in ranks from the inputs to the outputs, so that few lines cross and none runs
through a box. After Sugiyama, Tagawa and Toda (1981): ranks, order within them, then places.
"""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Sequence
from typing import NamedTuple

# How often the ranks are gone through, to order them.
_ORDERS = 12


class Box(NamedTuple):
    """What is to be placed. `across` is its size along the ranks, `along` the one from rank to rank."""

    across: float
    along: float
    sources: tuple[int, ...]


class Arranged(NamedTuple):
    """Where everything is: centres of the boxes, the lines between them, and the size of the whole."""

    centres: list[tuple[float, float]]  # (across, along)
    lines: dict[tuple[int, int], list[tuple[float, float]]]  # from a source to a box, the points on its way
    size: tuple[float, float]


def arrange(boxes: Sequence[Box], gap: float, step: float) -> Arranged:
    """Place boxes, each of which comes after its sources. `gap` is between boxes of a rank, `step` between ranks."""
    rank_of = _ranks(boxes)
    chains, members, size = _with_bends(boxes, rank_of, gap)
    ranks: list[list[int]] = [[] for _ in range(max(rank_of, default=0) + 1)]
    for item, (rank, _) in enumerate(members):
        ranks[rank].append(item)
    links = [pair for chain in chains.values() for pair in itertools.pairwise(chain)]
    before: list[list[int]] = [[] for _ in members]
    after: list[list[int]] = [[] for _ in members]
    for above, below in links:
        before[below].append(above)
        after[above].append(below)
    ranks = _ordered(ranks, before, after)
    places = _placed(ranks, before, after, size, len(boxes), gap)
    heights = [max((boxes[item].along for item in rank if item < len(boxes)), default=0.0) for rank in ranks]
    begins = [sum(heights[:number]) + number * step for number in range(len(ranks))]
    left = min((places[item] - size[item] / 2 for item in range(len(members))), default=0.0)
    right = max((places[item] + size[item] / 2 for item in range(len(members))), default=0.0)
    centres = [(places[item] - left, begins[rank_of[item]] + heights[rank_of[item]] / 2) for item in range(len(boxes))]
    lines = {}
    for pair, chain in chains.items():
        points: list[tuple[float, float]] = []
        for item in chain[1:-1]:  # straight through the whole rank, past its boxes
            rank = members[item][0]
            points += [(places[item] - left, begins[rank]), (places[item] - left, begins[rank] + heights[rank])]
        lines[pair] = points
    return Arranged(centres, lines, (right - left, begins[-1] + heights[-1] if ranks else 0.0))


def _ranks(boxes: Sequence[Box]) -> list[int]:
    """The longest way from an input; an input stands right before what reads it first."""
    rank = [0] * len(boxes)
    for number, box in enumerate(boxes):
        rank[number] = 1 + max((rank[source] for source in box.sources), default=-1)
    readers: list[list[int]] = [[] for _ in boxes]
    for number, box in enumerate(boxes):
        for source in box.sources:
            readers[source].append(number)
    for number, box in enumerate(boxes):
        if not box.sources and readers[number]:
            rank[number] = min(rank[reader] for reader in readers[number]) - 1
    return rank


def _with_bends(
    boxes: Sequence[Box], rank_of: Sequence[int], gap: float
) -> tuple[dict[tuple[int, int], list[int]], list[tuple[int, int]], list[float]]:
    """The items on each line, all items with rank and number, and their sizes: boxes, and bends of lines that pass."""
    members = [(rank, number) for number, rank in enumerate(rank_of)]
    size = [box.across for box in boxes]
    chains = {}
    for number, box in enumerate(boxes):
        for source in box.sources:
            bends = []
            for rank in range(rank_of[source] + 1, rank_of[number]):
                bends.append(len(members))
                members.append((rank, -1))
                size.append(gap / 4)
            chains[source, number] = [source, *bends, number]
    return chains, members, size


def _ordered(ranks: list[list[int]], before: list[list[int]], after: list[list[int]]) -> list[list[int]]:
    """The ranks in the order that has the fewest crossings of those that are tried."""
    best, fewest = [list(rank) for rank in ranks], _crossings(ranks, after)
    for turn in range(_ORDERS):
        down = turn % 2 == 0
        neighbours = before if down else after
        for number in range(len(ranks)) if down else reversed(range(len(ranks))):
            other = ranks[number - 1 if down else number + 1] if 0 < number + (not down) < len(ranks) else []
            position = {item: place for place, item in enumerate(other)}
            own = {item: place for place, item in enumerate(ranks[number])}

            def middle(item: int, position: dict[int, int] = position, own: dict[int, int] = own) -> tuple[float, int]:
                known = [position[each] for each in neighbours[item] if each in position]  # noqa: B023
                return (sum(known) / len(known) if known else float(own[item]), own[item])

            ranks[number] = sorted(ranks[number], key=middle)
        crossings = _crossings(ranks, after)
        if crossings < fewest:
            best, fewest = [list(rank) for rank in ranks], crossings
    return best


def _crossings(ranks: list[list[int]], after: list[list[int]]) -> int:
    found = 0
    for upper, lower in itertools.pairwise(ranks):
        position = {item: place for place, item in enumerate(lower)}
        ends = [position[each] for item in upper for each in sorted(after[item], key=lambda x: position.get(x, 0))]
        found += sum(ends[i] > ends[j] for i in range(len(ends)) for j in range(i + 1, len(ends)))
    return found


def _placed(
    ranks: list[list[int]],
    before: list[list[int]],
    after: list[list[int]],
    size: list[float],
    bends_from: int,
    gap: float,
) -> list[float]:
    """The centre of each item along its rank: in line with what it is connected to, apart from its neighbours.

    After Brandes and Koepf (2002): items are put in line from above and from below, towards the left and the right, and
    of these four arrangements, which are moved onto the narrowest, each item gets the mean of the middle two places.
    """
    crossed = _crossed(ranks, after, bends_from)
    found = []
    for down in (True, False):
        for to_left in (True, False):
            turned = ranks if down else ranks[::-1]
            if not to_left:
                turned = [rank[::-1] for rank in turned]
            rows = _rows(turned, before if down else after, crossed)
            places = _compacted(turned, rows, size, gap)
            found.append((places if to_left else [-place for place in places], to_left))
    ends = [(min(places), max(places)) for places, _ in found]
    low, high = min(ends, key=lambda end: end[1] - end[0])
    moved = [
        [place + (low - end[0] if to_left else high - end[1]) for place in places]
        for (places, to_left), end in zip(found, ends, strict=True)
    ]
    return [sum(sorted(each)[1:3]) / 2 for each in zip(*moved, strict=True)]


def _crossed(ranks: list[list[int]], after: list[list[int]], bends_from: int) -> set[tuple[int, int]]:
    """Links that cross one between two bends, which shall be straight."""
    found = set()
    for upper, lower in itertools.pairwise(ranks):
        top = {item: place for place, item in enumerate(upper)}
        bottom = {item: place for place, item in enumerate(lower)}
        links = [(item, each) for item in upper for each in after[item]]
        inner = [(a, b) for a, b in links if a >= bends_from and b >= bends_from]
        for a, b in links:
            if (a, b) not in inner and any((top[a] - top[c]) * (bottom[b] - bottom[d]) < 0 for c, d in inner):
                found |= {(a, b), (b, a)}
    return found


def _rows(ranks: list[list[int]], near: list[list[int]], crossed: set[tuple[int, int]]) -> list[int]:
    """For each item the first of those that it is in line with: each item follows the middle of those before it."""
    first = list(range(len(near)))
    taken: set[int] = set()
    for upper, lower in itertools.pairwise(ranks):
        place = {item: number for number, item in enumerate(upper)}
        reached = -1
        for item in lower:
            others = sorted(near[item], key=place.__getitem__)
            for other in others[(len(others) - 1) // 2 : len(others) // 2 + 1]:
                if place[other] > reached and other not in taken and (other, item) not in crossed:
                    first[item], reached = first[other], place[other]
                    taken.add(other)
                    break
    return first


def _compacted(ranks: list[list[int]], first: list[int], size: list[float], gap: float) -> list[float]:
    """The place of each item: all that are in line at one, as far to the left as their neighbours allow."""
    left_of: dict[int, list[tuple[int, float]]] = {}
    right_of: dict[int, list[tuple[int, float]]] = {}
    for rank in ranks:
        for one, other in itertools.pairwise(rank):
            apart = (size[one] + size[other]) / 2 + gap
            left_of.setdefault(first[other], []).append((first[one], apart))
            right_of.setdefault(first[one], []).append((first[other], apart))
    order = list(
        graphlib.TopologicalSorter({row: [one for one, _ in left_of.get(row, ())] for row in first}).static_order()
    )
    place: dict[int, float] = {}
    for row in order:
        place[row] = max((place[one] + apart for one, apart in left_of.get(row, ())), default=0.0)
    for row in reversed(order):  # not farther from what is to its right than needed
        place[row] = max(
            place[row], min((place[each] - apart for each, apart in right_of.get(row, ())), default=place[row])
        )
    return [place[row] for row in first]
