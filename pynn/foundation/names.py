"""Names of layers and models: the ones given are checked, the others are counted up as in Keras."""

from __future__ import annotations

import itertools
import re

_VALID_NAME = re.compile(r"[A-Za-z0-9_./-]{1,128}")
_counts: dict[str, itertools.count[int]] = {}


def to_snake_case(class_name: str) -> str:
    """``LeakyReLU`` -> ``leaky_re_lu``: Keras's rule, so that automatic names agree with Keras's."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(class_name: str) -> str:
    """``dense``, then ``dense_1``, ``dense_2`` and so on, counted over the whole process."""
    name = to_snake_case(class_name)
    count = next(_counts.setdefault(name, itertools.count()))  # each is done as a whole: threads get other numbers
    return f"{name}_{count}" if count else name


def reset_names() -> None:
    """Begin the counting of automatic names anew."""
    _counts.clear()


def check_name(name: str) -> str:
    """Return `name` if it may be the name of a layer or model, else raise TypeError or ValueError."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, but got {name!r} of type {type(name).__name__}.")
    if not _VALID_NAME.fullmatch(name):
        raise ValueError(f"name must be 1 to 128 of the characters A-Z a-z 0-9 _ . / -, but got {name!r}.")
    return name
