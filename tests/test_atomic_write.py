"""A file that is written is the old one or the new one as a whole, whatever fails."""

import os
import resource
import signal
import stat
import subprocess
import sys
import time

import pytest
from helpers import make_data, make_model

import pynn
from pynn.storage import atomic_write
from pynn.storage.atomic_write import write_atomically

OLD, NEW = b"old" * 1000, b"new!" * 3000
CALLS = ("open", "write", "fchmod", "fsync", "close", "replace")


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_file_is_what_was_written(tmp_path):
    path = tmp_path / "a file"
    write_atomically(path, [NEW[:7], memoryview(NEW)[7:]])
    assert path.read_bytes() == NEW
    write_atomically(os.fsencode(path), [])
    assert path.read_bytes() == b""
    assert left(tmp_path) == ["a file"]


class Failing:
    """Calls of the system, of which number `k` raises `error`, in its place or when it is done."""

    def __init__(self, monkeypatch, k, error, after=False):
        self.count, self.k, self.error, self.after, self.log = 0, k, error, after, []
        for name in CALLS:
            monkeypatch.setattr(atomic_write.os, name, self.failing(name, getattr(os, name)))

    def failing(self, name, call):
        def instead(*args, **named):
            number, self.count = self.count, self.count + 1
            self.log.append(name)
            if number == self.k and not self.after:
                raise self.error
            result = call(*args, **named)
            if number == self.k:
                raise self.error
            return result

        return instead


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt(), MemoryError()], ids=repr)
@pytest.mark.parametrize("there", [True, False])
def test_kth_call_fails(tmp_path, monkeypatch, error, there):
    """For every k: the file is the old one, or the new one where only the folder could not be brought to the disk."""
    path = tmp_path / "model"
    seen, k = set(), 0
    while True:
        if there:
            path.write_bytes(OLD)
        elif path.exists():
            path.unlink()
        with monkeypatch.context() as patch:
            calls = Failing(patch, k, error)
            try:
                write_atomically(path, [NEW[:5000], NEW[5000:]])
            except type(error):
                failed = calls.log[k]
                seen.add(failed)
                replaced = "replace" in calls.log[:k]
            else:
                break
        assert left(tmp_path) == (["model"] if there or replaced else []), failed
        if there or replaced:
            assert path.read_bytes() == (NEW if replaced else OLD), failed
        k += 1
    assert seen == set(CALLS) - (set() if there else {"fchmod"})
    assert k > 7


def test_data_are_on_the_disk_before_the_file_takes_its_place(tmp_path, monkeypatch):
    calls = Failing(monkeypatch, -1, None)
    write_atomically(tmp_path / "model", [NEW])
    assert calls.log == ["open", "write", "fsync", "close", "replace", "open", "fsync", "close"]


def test_call_that_writes_little_is_repeated(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(atomic_write.os, "write", lambda file, data: write(file, data[:7]))
    write_atomically(tmp_path / "model", [NEW])
    assert (tmp_path / "model").read_bytes() == NEW


@pytest.mark.parametrize("k", range(8))
def test_interrupt_after_the_kth_call(tmp_path, monkeypatch, k):
    path = tmp_path / "model"
    path.write_bytes(OLD)
    with monkeypatch.context() as patch:
        calls = Failing(patch, k, KeyboardInterrupt(), after=True)
        with pytest.raises(KeyboardInterrupt):
            write_atomically(path, [NEW])
    assert path.read_bytes() == (NEW if "replace" in calls.log[: k + 1] else OLD)
    assert left(tmp_path) == ["model"]


def test_mode_stays_and_a_new_file_has_the_usual_one(tmp_path):
    path, plain = tmp_path / "model", tmp_path / "plain"
    plain.write_bytes(b"")
    write_atomically(path, [NEW])
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    path.chmod(0o640)
    write_atomically(path, [OLD])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_link_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link, far = tmp_path / "elsewhere" / "target", tmp_path / "link", tmp_path / "far"
    target.write_bytes(OLD)
    link.symlink_to(target)
    far.symlink_to(link)
    write_atomically(far, [NEW])
    assert link.is_symlink()
    assert far.is_symlink()
    assert target.read_bytes() == NEW
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "elsewhere" / "new")
    write_atomically(dangling, [NEW])
    assert (tmp_path / "elsewhere" / "new").read_bytes() == NEW
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    with pytest.raises(OSError, match="circle"):
        write_atomically(circle, [NEW])


def test_something_else_than_a_file_is_refused(tmp_path):
    folder, pipe = tmp_path / "folder", tmp_path / "pipe"
    folder.mkdir()
    os.mkfifo(pipe)
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    for path, what in ((folder, "folder"), (pipe, "pipe"), ("/dev/null", "device"), (link, "device")):
        with pytest.raises(ValueError, match=what):
            write_atomically(path, [NEW])
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert left(folder) == []
    with pytest.raises(FileNotFoundError, match="Make it first"):
        write_atomically(tmp_path / "no folder" / "model", [NEW])
    (tmp_path / "plain").write_bytes(b"")
    with pytest.raises(OSError, match="plain"):
        write_atomically(tmp_path / "plain" / "model", [NEW])


def test_overwrite_is_asked_for(tmp_path):
    path = tmp_path / "model"
    write_atomically(path, [OLD], overwrite=False)
    with pytest.raises(FileExistsError, match="overwrite"):
        write_atomically(path, [NEW], overwrite=False)
    assert path.read_bytes() == OLD


def test_file_size_limit(tmp_path):
    """As a full disk: the write fails in the middle."""
    path = tmp_path / "model"
    path.write_bytes(OLD)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
        with pytest.raises(OSError, match="File too large"):
            write_atomically(path, [NEW])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_bytes() == OLD
    assert left(tmp_path) == ["model"]


def test_full_disk_leaves_the_old_model(tmp_path, monkeypatch):
    model = make_model()
    path = tmp_path / "model"
    model.save(path)
    before = path.read_bytes()
    model.fit(*make_data(), verbose=0)

    def full(file, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic_write.os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            model.save(path)
    assert path.read_bytes() == before
    assert left(tmp_path) == ["model"]
    model.save(path)
    pynn.load_model(path).predict(make_data()[0], verbose=0)


KILLED = """
import os, signal, sys
from pynn.storage import atomic_write
name, k = sys.argv[2], int(sys.argv[3])
call = getattr(os, name)
def instead(*args):
    global k
    k -= 1
    if k < 0:
        if name == "write":
            call(args[0], args[1][:100])
        os.kill(os.getpid(), signal.SIGKILL)
    return call(*args)
setattr(atomic_write.os, name, instead)
atomic_write.write_atomically(sys.argv[1], [b"new" * 1000] * 3)
"""


@pytest.mark.parametrize(("name", "k"), [("write", 0), ("write", 1), ("fsync", 0), ("replace", 0), ("fsync", 1)])
def test_kill_in_the_middle(tmp_path, name, k):
    path = tmp_path / "model"
    path.write_bytes(OLD)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), name, str(k)], cwd="/", timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == (b"new" * 3000 if (name, k) == ("fsync", 1) else OLD)
    # What is left is removed when it is old enough not to be of another machine's process.
    leftover = [each for each in left(tmp_path) if each != "model"]
    assert len(leftover) == (0 if (name, k) == ("fsync", 1) else 1)
    write_atomically(path, [NEW])
    assert left(tmp_path) == sorted(["model", *leftover])
    for each in leftover:
        os.utime(tmp_path / each, (time.time() - 7200,) * 2)
    write_atomically(path, [NEW])
    assert left(tmp_path) == ["model"]


def test_temporary_file_of_a_living_process_stays(tmp_path):
    names = [f".pynn-{os.getpid()}-{'0' * 16}.tmp", ".pynn-1-something.tmp", f".pynn-{2**31 - 2}-{'0' * 16}.tmp"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (0, 0))
    write_atomically(tmp_path / "model", [NEW])
    assert left(tmp_path) == sorted(["model", *names[:2]])
