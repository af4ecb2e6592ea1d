"""The format of files: arrays go through it bit for bit, and whatever is not as it must be is refused."""

import json
import os
import struct
import time

import numpy as np
import pytest

import pynn
from pynn.storage import npz, tensors
from pynn.storage.tensors import encoded, read_tensors, write_tensors

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b/c": np.array([1.5, -0.0, np.nan, np.inf]),
    "scalar": np.array(2**63 + 5, np.uint64),
    "none": np.empty((0, 4), np.float32),
    "bytes": np.array([1, 2, 255], np.uint8),
}


def raw(header, data=b"", pad=True):
    """A file of this header, given as values or as a text."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8) if pad else b""
    return struct.pack("<Q", len(text)) + text + data


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def test_arrays_come_back_bit_for_bit(tmp_path):
    for path in (tmp_path / "file", str(tmp_path / "file 2.bin"), os.fsencode(tmp_path / "file3")):
        write_tensors(path, ARRAYS, {"x": [1, 2.5, "ü"]})
        arrays, metadata = read_tensors(path)
        assert set(arrays) == set(ARRAYS)
        assert all(same(arrays[name], ARRAYS[name]) for name in ARRAYS)
        assert metadata["x"] == [1, 2.5, "ü"]
        assert (metadata["format"], metadata["pynn"]) == (1, pynn.__version__)
    assert b"".join(encoded(ARRAYS, {})) == b"".join(encoded(dict(reversed(ARRAYS.items())), {}))


@pytest.mark.parametrize("kind", ["transposed", "strided", "reversed", "broadcast", "big-endian", "fortran"])
def test_array_of_any_layout_is_written_as_its_values(tmp_path, kind):
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    given = {
        "transposed": x.T,
        "strided": x[::2, 1::2],
        "reversed": x[::-1],
        "broadcast": np.broadcast_to(x[0], (5, 4)),
        "big-endian": x.astype(">f4"),
        "fortran": np.asfortranarray(x),
    }[kind]
    write_tensors(tmp_path / "file", {"x": given}, {})
    np.testing.assert_array_equal(read_tensors(tmp_path / "file")[0]["x"], given)


def test_what_is_no_array_of_numbers_is_not_written(tmp_path):
    for bad in (np.array(["a"]), np.array([object()]), np.array([1j]), np.array([1], "M8[s]")):
        with pytest.raises(TypeError, match="of numbers"):
            write_tensors(tmp_path / "file", {"x": bad}, {})
    for bad in ({"x": float("nan")}, {"x": object()}):
        with pytest.raises((ValueError, TypeError)):
            write_tensors(tmp_path / "file", {}, bad)
    assert not (tmp_path / "file").exists()


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
DATA = bytes(8)
BAD = {
    "empty": b"",
    "seven bytes": bytes(7),
    "header of no byte": struct.pack("<Q", 0),
    "header beyond the end": struct.pack("<Q", 100) + b"{}",
    "huge header": struct.pack("<Q", 2**64 - 1) + b"{}",
    "header that is no JSON": raw(b"{a}"),
    "header that begins with a space": raw(b" {}"),
    "header that is a list": raw(b"[]"),
    "header that is no UTF-8": raw(b'{"\xff": 1}'),
    "JSON with more behind it": raw(b"{}{}"),
    "deep nesting": raw(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "deep nesting of lists": raw(b'{"a":' + b"[" * 500 + b"]" * 500 + b"}"),
    "NaN": raw(b'{"a": NaN}'),
    "number that overflows": raw(b'{"a": 1e999}'),
    "number of many digits": raw(b'{"a": ' + b"9" * 10_000 + b"}"),
    "array that is a number": raw({"a": 1}),
    "key twice": raw(
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}',
        DATA,
    ),
    "key within an array twice": raw(b'{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}', DATA),
    "more keys": raw({"a": {**ENTRY, "more": 1}}, DATA),
    "fewer keys": raw({"a": {"dtype": "F32", "shape": [2]}}, DATA),
    "hole": raw({"a": ENTRY, "b": {**ENTRY, "data_offsets": [12, 20]}}, bytes(20)),
    "hole at the begin": raw({"a": {**ENTRY, "data_offsets": [4, 12]}}, bytes(12)),
    "overlap": raw({"a": ENTRY, "b": {**ENTRY, "data_offsets": [4, 12]}}, bytes(12)),
    "same place": raw({"a": ENTRY, "b": ENTRY}, DATA),
    "more behind the data": raw({"a": ENTRY}, DATA + b"x"),
    "fewer data": raw({"a": ENTRY}, DATA[:-1]),
    "end before begin": raw({"a": {**ENTRY, "shape": [0], "data_offsets": [8, 0]}}, DATA),
    "negative offset": raw({"a": {**ENTRY, "data_offsets": [-8, 0]}}),
    "fraction as offset": raw({"a": {**ENTRY, "data_offsets": [0.0, 8.0]}}, DATA),
    "flag as offset": raw({"a": {**ENTRY, "shape": [], "dtype": "U8", "data_offsets": [False, True]}}, b"x"),
    "three offsets": raw({"a": {**ENTRY, "data_offsets": [0, 8, 8]}}, DATA),
    "offsets beyond 64 bits": raw({"a": {**ENTRY, "data_offsets": [0, 2**64]}}, DATA),
    "shape of another size": raw({"a": {**ENTRY, "shape": [3]}}, DATA),
    "negative size": raw({"a": {**ENTRY, "shape": [-1, -2]}}, DATA),
    "size that overflows": raw({"a": {**ENTRY, "shape": [2**62, 2**62]}}, DATA),
    "size of 0 with huge ones": raw({"a": {**ENTRY, "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}}),
    "many axes": raw({"a": {**ENTRY, "shape": [1] * 99 + [2]}}, DATA),
    "shape that is a text": raw({"a": {**ENTRY, "shape": "2"}}, DATA),
    "unknown type": raw({"a": {**ENTRY, "dtype": "F128"}}, DATA),
    "type of half a byte": raw({"a": {**ENTRY, "dtype": "BF16", "shape": [4]}}, DATA),
    "type that is a list": raw({"a": {**ENTRY, "dtype": ["F32"]}}, DATA),
    "metadata that are no dict": raw({"__metadata__": [1]}),
    "metadata that are no texts": raw({"__metadata__": {"a": 1}}),
    "metadata twice": raw(b'{"__metadata__":{},"__metadata__":{}}'),
    "metadata key twice": raw(b'{"__metadata__":{"a":"1","a":"2"}}'),
    "pynn's metadata that are no JSON": raw({"__metadata__": {"pynn": "{"}}),
    "pynn's metadata without a format": raw({"__metadata__": {"pynn": "{}"}}),
    "pynn's metadata of half a character": raw(b'{"__metadata__":{"pynn":"\\ud800"}}'),
    "no digest": raw({"__metadata__": {"pynn": '{"format":1}'}}),
    "format that is a flag": raw({"__metadata__": {"pynn": '{"format":true}'}}),
    "format 0": raw({"__metadata__": {"pynn": '{"format":0}'}}),
    "not as pynn writes it": raw({"__metadata__": {"pynn": f'{{"digest":"sha256:{"0" * 64}","format":1}}'}}),
    "a zip": b"PK\x03\x04" + bytes(100),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "a pickle": b"\x80\x04\x95" + bytes(100),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_not_as_it_must_be_is_refused(tmp_path, kind):
    path = tmp_path / "file"
    path.write_bytes(BAD[kind])
    with pytest.raises(pynn.ModelFileError) as error:
        tensors.read(path)
    assert len(str(error.value)) < 1000
    assert "file" in str(error.value)
    with pytest.raises(pynn.ModelFileError):
        tensors.decoded(BAD[kind], "The file")


def test_file_of_a_newer_format_says_so(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(raw({"__metadata__": {"pynn": '{"format":2,"pynn":"7.5"}'}}))
    with pytest.raises(pynn.ModelFileError, match=r"format 2.*7\.5.*newer pynn"):
        read_tensors(path)


def test_plain_file_of_another_program(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(raw({"a": ENTRY, "__metadata__": {"by": "hand"}}, np.float32([1, 2]).tobytes()))
    header, arrays = tensors.read(path)
    assert header.metadata is None
    np.testing.assert_array_equal(arrays["a"], [1, 2])
    with pytest.raises(pynn.ModelFileError, match="pynn has not written it"):
        read_tensors(path)


def small_file(tmp_path):
    path = tmp_path / "file"
    write_tensors(path, {"a": np.float32([[1, 2]]), "n": np.array(7)}, {"text": "ü", "numbers": [1e-7, 10]})
    return path, path.read_bytes()


def test_every_truncation_is_refused(tmp_path):
    _, whole = small_file(tmp_path)
    for size in range(len(whole)):
        with pytest.raises(pynn.ModelFileError):
            tensors.decoded(whole[:size], "The file")


def test_every_flipped_bit_is_refused(tmp_path):
    _, whole = small_file(tmp_path)
    for place in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        try:
            header, _ = tensors.decoded(bytes(damaged), "The file")
        except pynn.ModelFileError:
            continue
        # Without its metadata a file would be another program's, which is not read as a model.
        assert header.metadata is None, place


def test_file_is_read_to_the_end_it_has(tmp_path):
    path, whole = small_file(tmp_path)
    path.write_bytes(whole)
    for reading in (lambda: read_tensors(tmp_path), lambda: read_tensors("/dev/null")):
        with pytest.raises(pynn.ModelFileError, match=r"folder|device"):
            reading()
    with pytest.raises(FileNotFoundError, match="no file"):
        read_tensors(tmp_path / "nothing")


def test_huge_sparse_header_is_not_read(tmp_path):
    """2^33 bytes that take no place on the disk: the header's size is looked at first."""
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 2**32) + b"{")
        file.truncate(2**33)
    with pytest.raises(pynn.ModelFileError, match="header would have"):
        tensors.read(path)


def mutated(random, whole):
    """Bytes that are changed, moved, repeated, or taken from the header's words."""
    data = bytearray(whole)
    for _ in range(random.integers(1, 8)):
        at, other = (int(n) for n in random.integers(0, len(data), 2))
        kind = random.integers(6)
        if kind == 0:
            data[at] = random.integers(256)
        elif kind == 1:
            del data[at : at + int(random.integers(1, 20))]
        elif kind == 2:
            data[at:at] = data[other : other + int(random.integers(1, 20))]
        elif kind == 3:
            data[at : at + 1] = [b"[", b"]", b"{", b"}", b'"', b"-", b"9" * 30, b"\\u0000", b"null"][random.integers(9)]
        elif kind == 4:
            data[:8] = struct.pack("<Q", int(random.integers(0, 2**63)) >> int(random.integers(64)))
        else:
            text = data[8:-16]
            data[8:-16] = text
            data[:8] = struct.pack("<Q", len(text))
        if not data:
            break
    return bytes(data)


def test_mutated_files(tmp_path):
    """PYNN_FUZZ_SECONDS=600 for a long run."""
    _, whole = small_file(tmp_path)
    plain = raw({"a": ENTRY, "b": {"dtype": "U8", "shape": [2, 1], "data_offsets": [8, 10]}}, bytes(10))
    random, end = np.random.default_rng(7), time.monotonic() + float(os.environ.get("PYNN_FUZZ_SECONDS", "1"))
    refused = taken = 0
    while time.monotonic() < end:
        data = mutated(random, whole if random.integers(2) else plain)
        try:
            header, arrays = tensors.decoded(data, "The file")
        except pynn.ModelFileError:
            refused += 1
            continue
        taken += 1
        assert header.metadata is None or data == whole
        assert sum(a.nbytes for a in arrays.values()) <= len(data)
    assert refused > taken > 0


# ---- with the safetensors package ------------------------------------------------------------------------------------
def test_safetensors_reads_what_pynn_writes(tmp_path):
    numpy_room = pytest.importorskip("safetensors.numpy")
    write_tensors(tmp_path / "file", ARRAYS, {"x": 1})
    found = numpy_room.load_file(tmp_path / "file")
    assert set(found) == set(ARRAYS)
    assert all(same(found[name], ARRAYS[name]) for name in ARRAYS)


def test_pynn_reads_what_safetensors_writes(tmp_path):
    numpy_room = pytest.importorskip("safetensors.numpy")
    numpy_room.save_file({name: a for name, a in ARRAYS.items() if a.ndim}, tmp_path / "file", {"by": "safetensors"})
    _, found = tensors.read(tmp_path / "file")
    assert all(same(found[name], ARRAYS[name]) for name in ARRAYS if ARRAYS[name].ndim)


# ---- .npz ------------------------------------------------------------------------------------------------------------
def test_npz_arrays(tmp_path):
    given = {"a/b": np.float32([[1, 2], [3, 4]]), "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "n": np.int8(3)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "file.npz", **given)
        described = npz.contents(tmp_path / "file.npz")
        assert {name: (d.shape, d.dtype) for name, d in described.items()} == {
            name: (a.shape, a.dtype) for name, a in given.items()
        }
        found = npz.read(tmp_path / "file.npz", list(given))
        assert all(np.array_equal(found[name], given[name]) for name in given)
        assert set(npz.read(tmp_path / "file.npz", ["f"])) == {"f"}


def test_bad_npz_is_refused(tmp_path):
    path = tmp_path / "file.npz"
    np.savez(path, a=np.arange(300.0))
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(pynn.ModelFileError):
            npz.contents(path)
    damaged = bytearray(whole)
    damaged[1000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(pynn.ModelFileError, match="CRC"):
        npz.read(path, ["a"])
    np.savez(path, a=np.array([object()]))
    with pytest.raises(pynn.ModelFileError, match="numbers"):
        npz.contents(path)


def npy(shape, data=b""):
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    "member", [npy((2**40,)), npy((-1,)), npy((2**62, 4)), npy((1,)), npy((0,), b"1"), b"", b"x" * 200]
)
def test_npz_of_absurd_sizes_is_refused(tmp_path, member):
    zipfile = pytest.importorskip("zipfile")
    path = tmp_path / "file.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", member)
    with pytest.raises(pynn.ModelFileError):
        npz.contents(path)
