"""Named arrays as a safetensors file, which many tools read, and back.

``[8 bytes: N][N bytes: a JSON text, the header][data]``, all little-endian. The header has for each array
``{"dtype", "shape", "data_offsets": [begin, end]}``, relative to the data, and ``__metadata__``, texts by name. What
pynn writes has one of these, ``"pynn"``: a JSON text with the format's number, pynn's version, what the caller adds,
and a digest of all. docs/file-format.md says the rest.

A file is checked as a whole before memory is taken for its arrays, and nothing in it is ever run.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..foundation import checks
from ..foundation.native import core
from .atomic_write import mode_of, write_atomically

Array = NDArray[Any]
Path = str | bytes | os.PathLike[Any]

FORMAT = 1  # the number of what is written; all up to it are read

_DTYPES = dict(
    zip(
        ("F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"),
        ("<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1", "|b1"),
        strict=True,
    )
)
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}

_MOST_HEADER = 100_000_000  # bytes, as the format has it
_MOST_ARRAYS = 1_000_000
_MOST_AXES = 32  # as every NumPy has them
_MOST_ELEMENTS = 2**48
_DEEPEST = 100  # levels of lists and dicts in a JSON text
_PIECE = 2**24  # bytes between two looks for Ctrl-C
_DIGEST = re.compile("sha256:[0-9a-f]{64}")


KERAS_MEMBER = "model.weights.h5"  # the weights within a .keras file
# What to do with a file of Keras's.
FROM_KERAS = (
    "pynn.from_keras makes the model of a .keras file, and model.load_weights takes the weights of a .keras or "
    ".weights.h5 file"
)


class Entry(NamedTuple):
    """An array, as the header describes it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Header(NamedTuple):
    """What a file says of itself, checked but for the digest."""

    entries: list[Entry]  # in the order of the data
    metadata: dict[str, Any] | None  # None: pynn has not written it
    size: int  # of the data, in bytes


# ---- writing ---------------------------------------------------------------------------------------------------------


def write_tensors(path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, Any], overwrite: bool = True) -> None:
    """Write arrays with `metadata`, values fit for JSON, as a whole or not at all: see `write_atomically`."""
    write_atomically(path, encoded(arrays, metadata), overwrite)


def encoded(arrays: Mapping[str, Array], metadata: Mapping[str, Any]) -> list[Any]:
    """The file as pieces of bytes. Those of contiguous arrays are the arrays themselves, which must not change.

    Raises:
        TypeError: an array of another kind than numbers. ValueError: one of too many axes, or metadata that are not fit
        for JSON.
    """
    plain = {name: _plain(name, array) for name, array in arrays.items()}
    order = sorted(plain, key=lambda name: (-plain[name].itemsize, name))
    entries, end = [], 0
    for name in order:
        begin, end = end, end + plain[name].nbytes
        entries.append(Entry(name, _NAMES[plain[name].dtype], plain[name].shape, begin, end))
    own = {**metadata, "format": FORMAT, "pynn": core.__version__}
    if _is_deep(own):
        raise ValueError(f"The metadata of a file may be nested {_DEEPEST} levels deep, but these are more.")
    data = {name: _bytes_of(plain[name]) for name in order}
    text = _canonical({**own, "digest": _digest(own, entries, data)})
    header = _header_text(entries, text)
    return [len(header).to_bytes(8, "little"), header, *data.values()]


def _plain(name: str, array: Array) -> Array:
    """The array as it lies in a file."""
    given = np.asarray(array)
    dtype = given.dtype.newbyteorder("<")
    if dtype not in _NAMES:
        raise TypeError(f"The array {name!r} must be of numbers, but is of {given.dtype}.")
    if not is_shape(given.shape):
        raise ValueError(
            f"The array {name!r} must have at most {_MOST_AXES} axes and 2^48 elements, but has shape {given.shape}."
        )
    # Not ascontiguousarray, which makes an axis where there is none.
    return np.asarray(given, dtype, order="C")


def _bytes_of(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _header_text(entries: Iterable[Entry], metadata: str) -> bytes:
    described: dict[str, Any] = {"__metadata__": {"pynn": metadata}}
    for entry in entries:
        described[entry.name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [entry.begin, entry.end],
        }
    text = json.dumps(described, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def _digest(metadata: Mapping[str, Any], entries: Iterable[Entry], data: Mapping[str, memoryview]) -> str:
    """Over the metadata without the digest, and each array's name, type, shape and bytes, in the order of the names."""
    import hashlib  # slow to import

    digest = hashlib.sha256(_canonical(metadata).encode())
    for entry in sorted(entries):
        digest.update(_canonical([entry.name, entry.dtype, entry.shape]).encode())
        for begin in range(0, len(data[entry.name]), _PIECE):
            digest.update(data[entry.name][begin : begin + _PIECE])
    return f"sha256:{digest.hexdigest()}"


# ---- reading ---------------------------------------------------------------------------------------------------------


def read_tensors(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the metadata of a file that pynn wrote.

    Raises:
        ModelFileError: something else, or damage; it says which rule does not hold. OSError: it cannot be read.
    """
    header, arrays = read(path)
    return arrays, own_metadata(header, name_of(path))


def own_metadata(header: Header, name: str) -> dict[str, Any]:
    """The metadata of a file that pynn wrote, else ModelFileError."""
    if header.metadata is None:
        raise ModelFileError(f"{name} is a safetensors file, but pynn has not written it: there is no model in it.")
    return header.metadata


def read(path: Path) -> tuple[Header, dict[str, Array]]:
    """The header and the arrays of a safetensors file, whoever wrote it; ModelFileError and OSError as above."""
    name = name_of(path)
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        header = parse_header(_read(file, _header_size(_read(file, min(8, size), name), size, name), name), size, name)
        data = np.empty(header.size, np.uint8)
        if file.readinto(data) != header.size:
            raise ModelFileError(f"{name} became shorter while it was read.")
    return header, arrays_in(header, data, name)


def decoded(data: bytes, name: str) -> tuple[Header, dict[str, Array]]:
    """The same of the bytes of a file."""
    size = _header_size(data[:8], len(data), name)
    header = parse_header(data[8 : 8 + size], len(data), name)
    return header, arrays_in(header, np.frombuffer(data, np.uint8, offset=8 + size), name)


def name_of(path: Path) -> str:
    """What messages call a file."""
    return f"The file {os.fsdecode(path)!r}"


def open_file(path: Path) -> Any:
    """The file, opened to be read; ModelFileError where there is something else."""
    try:
        regular = mode_of(os.fsdecode(path))
    except ValueError as error:
        raise ModelFileError(str(error)) from None
    if regular is None:
        raise FileNotFoundError(f"There is no file {os.fsdecode(path)!r}.")
    return open(path, "rb")


def _read(file: Any, count: int, name: str) -> bytes:
    found: bytes = file.read(count)
    if len(found) != count:
        raise ModelFileError(f"{name} became shorter while it was read.")
    return found


def _header_size(start: bytes, file_size: int, name: str) -> int:
    if len(start) < 8:
        raise ModelFileError(f"{name} is no model file: it has {file_size} bytes, and must have 8 at least.")
    size = int.from_bytes(start, "little")
    if size > min(file_size - 8, _MOST_HEADER):
        if start[:2] == b"PK" or start[:4] == b"\x89HDF":
            kind = "a zip archive, such as .keras and .npz files are," if start[:2] == b"PK" else "an HDF5 file"
            raise ModelFileError(
                f"{name} is {kind} and no safetensors file, which pynn's models are. If it is Keras's: {FROM_KERAS}."
            )
        raise ModelFileError(
            f"{name} is no model file, or was cut: its header would have {size} bytes, of {file_size - 8} there are."
        )
    return size


def parse_header(text: bytes, file_size: int, name: str) -> Header:
    """The header of a file of `file_size` bytes, checked as a whole; ModelFileError says which rule does not hold."""
    if text[:1] != b"{":
        raise ModelFileError(f"{name} is no model file: its header must begin with '{{'.")
    described = parse_json(text, f"the header of {name}")
    texts = described.pop("__metadata__", {})
    if not isinstance(texts, dict) or not all(isinstance(each, str) for each in texts.values()):
        raise ModelFileError(f"{name}: __metadata__ must be a dict of texts.")
    if len(described) > _MOST_ARRAYS:
        raise ModelFileError(f"{name} has {len(described)} arrays, more than {_MOST_ARRAYS}.")
    entries = sorted((_entry(key, each, name) for key, each in described.items()), key=lambda e: (e.begin, e.end))
    end = 0
    for entry in entries:
        if entry.begin != end:
            raise ModelFileError(
                f"{name}: the array {checks.shown(entry.name)} must begin where the one before it ends, at {end}, but "
                f"begins at {entry.begin}."
            )
        end = entry.end
    if 8 + len(text) + end != file_size:
        raise ModelFileError(
            f"{name} must have {8 + len(text) + end} bytes by its header, but has {file_size}: it was cut or changed."
        )
    metadata = _metadata(entries, texts, text, name) if "pynn" in texts else None
    return Header(entries, metadata, end)


def _entry(key: str, value: Any, name: str) -> Entry:
    what = f"{name}: the array {checks.shown(key)}"
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise ModelFileError(f"{what} must be described by dtype, shape and data_offsets alone.")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ModelFileError(f"{what} must have one of the types {', '.join(_DTYPES)}, but has {checks.shown(dtype)}.")
    if not is_shape(shape):
        raise ModelFileError(
            f"{what} must have a shape of at most {_MOST_AXES} sizes and 2^48 elements, but has {checks.shown(shape)}."
        )
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise ModelFileError(f"{what} must have two data_offsets, but has {checks.shown(offsets)}.")
    begin, end = offsets
    size = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if end - begin != size:
        raise ModelFileError(
            f"{what} of {dtype} and shape {tuple(shape)} must have {size} bytes, but has {end - begin}."
        )
    return Entry(key, dtype, tuple(shape), begin, end)


def is_shape(value: Any) -> bool:
    """Whether this is the shape of an array that a file may have."""
    sizes = list(value) if isinstance(value, tuple) else value
    return _are_sizes(sizes) and len(sizes) <= _MOST_AXES and math.prod(max(n, 1) for n in sizes) <= _MOST_ELEMENTS


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)


def _metadata(entries: list[Entry], texts: dict[str, str], text: bytes, name: str) -> dict[str, Any]:
    """What pynn wrote of a file, which must be as pynn writes it."""
    found = parse_json(texts["pynn"].encode("utf-8", "surrogatepass"), f"the metadata of {name}")
    number = found.get("format")
    if type(number) is not int or number < 1:
        raise ModelFileError(f"{name} must have the number of its format, but has {checks.shown(number)}.")
    if number > FORMAT:
        raise ModelFileError(
            f"{name} is of format {number}, which a newer pynn wrote ({checks.shown(found.get('pynn'))}). This one "
            f"({core.__version__}) reads up to {FORMAT}: install a newer pynn."
        )
    if not isinstance(found.get("digest"), str) or not _DIGEST.fullmatch(found["digest"]):
        raise ModelFileError(f"{name} must have a SHA-256 digest, but has {checks.shown(found.get('digest'))}.")
    if set(texts) != {"pynn"} or _header_text(entries, _canonical(found)) != text:
        raise ModelFileError(f"{name} was changed: its header is not as pynn writes it.")
    return found


def parse_json(text: bytes, name: str) -> dict[str, Any]:
    """A JSON text of a dict, without a key that comes twice, numbers that are none, or depths without end."""
    try:
        found = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ModelFileError(f"{name} is nested more than {_DEEPEST} levels deep.") from None
    except ValueError as error:  # of UTF-8, of JSON, and of what is refused
        raise ModelFileError(f"{name} is no JSON text as it must be: {error}.") from None
    if not isinstance(found, dict):
        raise ModelFileError(f"{name} must be a dict.")
    if _is_deep(found):
        raise ModelFileError(f"{name} is nested more than {_DEEPEST} levels deep.")
    return found


def _is_deep(value: Any) -> bool:
    """Whether dicts and lists lie in each other more than `_DEEPEST` levels deep."""
    level = [value]
    for _ in range(_DEEPEST):
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [each for values in inner for each in values if isinstance(each, dict | list | tuple)]
        if not level:
            return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def arrays_in(header: Header, data: Array, name: str) -> dict[str, Array]:
    """The arrays, parts of `data`; ModelFileError where the digest is another."""
    parts = {entry.name: data[entry.begin : entry.end] for entry in header.entries}
    if header.metadata is not None:
        own = {key: value for key, value in header.metadata.items() if key != "digest"}
        views = {key: part.data for key, part in parts.items()}
        if _digest(own, header.entries, views) != header.metadata["digest"]:
            raise ModelFileError(f"{name} is damaged: its digest is not that of its contents.")
    return {
        entry.name: parts[entry.name].view(_DTYPES[entry.dtype]).reshape(entry.shape)
        if entry.begin < entry.end
        else np.empty(entry.shape, _DTYPES[entry.dtype])
        for entry in header.entries
    }
