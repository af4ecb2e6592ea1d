"""Settings of the process: number type, data format, threads, and what the engine was built with."""

from __future__ import annotations

import sys
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import DTypeLike

from .foundation import checks, parallel
from .foundation.arguments import NamesItsArguments
from .foundation.native import core

CHANNELS_LAST, CHANNELS_FIRST = DATA_FORMATS = ("channels_last", "channels_first")

_floatx = "float32"
_image_data_format = CHANNELS_LAST
_epsilon = 1e-7


def floatx() -> str:
    """The number type of layers without a ``dtype``: ``"float32"`` (the default) or ``"float64"``."""
    return _floatx


def set_floatx(value: DTypeLike) -> None:
    """Set the number type of layers made from now on.

    Args:
        value: ``"float32"`` or ``"float64"``.

    Raises:
        ValueError: another type.
    """
    global _floatx
    _floatx = checks.float_dtype(value, "floatx")


class DTypePolicy(NamesItsArguments):
    """Which number type a layer computes in and has its weights in: here the same one. It is taken as `dtype` wherever
    a type is.

    Args:
        name: ``"float32"`` or ``"float64"``.

    Attributes:
        name, compute_dtype, variable_dtype: The type, in each case.
        dtype: The type, as NumPy has it.

    Raises:
        ValueError: another type, also the name of a policy of mixed precision.
    """

    def __init__(self, name: DTypeLike) -> None:
        self.name = self.compute_dtype = self.variable_dtype = checks.float_dtype(name, "the name of a DTypePolicy")
        self.dtype = np.dtype(self.name)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """The one of these arguments."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<DTypePolicy {self.name!r}>"


def dtype_policy() -> DTypePolicy:
    """The policy of layers without a ``dtype``: that of `floatx`."""
    return DTypePolicy(_floatx)


def set_dtype_policy(policy: DTypeLike) -> None:
    """Set the number type of layers made from now on, as `set_floatx`.

    Args:
        policy: A `DTypePolicy`, ``"float32"`` or ``"float64"``.

    Raises:
        ValueError: another policy.
    """
    set_floatx(policy)


def resolve_dtype(dtype: DTypeLike | None) -> str:
    """`dtype` as ``"float32"`` or ``"float64"``, and `floatx` for None; ValueError for another type."""
    return _floatx if dtype is None else checks.float_dtype(dtype, "dtype")


def image_data_format() -> str:
    """Where layers without a ``data_format`` have the channels: ``"channels_last"`` (the default) or
    ``"channels_first"``."""
    return _image_data_format


def set_image_data_format(data_format: str) -> None:
    """Set the data format of layers made from now on.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``.

    Raises:
        ValueError: another one.
    """
    global _image_data_format
    _image_data_format = _data_format(data_format)


def resolve_data_format(data_format: str | None) -> str:
    """`data_format` as one of the two, and `image_data_format` for None; ValueError for another."""
    return _image_data_format if data_format is None else _data_format(data_format)


def _data_format(value: object) -> str:
    if not isinstance(value, str) or value.lower() not in DATA_FORMATS:
        raise ValueError(f"data_format must be one of {', '.join(DATA_FORMATS)}, but got {checks.shown(value)}.")
    return value.lower()


def epsilon() -> float:
    """A small number to keep divisions and logarithms finite, 1e-7: for code of your own.

    The built-in losses always use 1e-7.
    """
    return _epsilon


def set_epsilon(value: float) -> None:
    """Set what `epsilon` returns, a number above 0."""
    global _epsilon
    _epsilon = checks.number(value, "epsilon", "(0, inf)")


def get_num_threads() -> int:
    """The number of threads the engine uses.

    Unless `set_num_threads` said otherwise: ``PYNN_NUM_THREADS``, else the first number of ``OMP_NUM_THREADS``, else
    the processors that affinity and control groups (containers) grant the process. Results do not depend on it.

    Raises:
        ValueError: ``PYNN_NUM_THREADS`` is no number of threads.
    """
    return parallel.get_num_threads()


def set_num_threads(n: int) -> None:
    """Set the number of threads of the calls into the engine from now on, 1 to 1024."""
    parallel.set_num_threads(checks.positive_int(n, "n", at_most=parallel.MAX_THREADS))


@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Print, or with ``mode="dicts"`` return: versions, BLAS, instruction set, threads and number type.

    Args:
        mode: ``"stdout"`` (the default) or ``"dicts"``, as for ``numpy.show_config``.

    Raises:
        ValueError: another mode.
    """
    table = {
        "version": core.__version__,
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "blas": core.blas_name(),
        "instruction_set": core.instruction_set(),
        "threads": get_num_threads(),
        "thread_backend": core.thread_backend(),
        "floatx": floatx(),
    }
    if checks.choice(mode, "mode", ("stdout", "dicts")) == "dicts":
        return table
    for name, value in table.items():
        print(f"{name:16} {value}")
    return None
