"""The files that foreign code reads, by Python, by compiled code, and by a mapping."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf.host.opened_files import is_data

# In a process of its own, as an audit hook cannot be taken away again.
WATCHED = """
import ctypes, json, mmap, os, sqlite3, sys, time
from pathlib import Path
from synapse_perf.host.opened_files import OpenedFiles
folder = Path(sys.argv[1])
files = OpenedFiles()
files.start()
files.enter("build")
(folder / "python").read_bytes()
os.close(os.open(folder / "os", os.O_RDONLY))
sqlite3.connect(folder / "sqlite").close()
(folder / "written").write_bytes(b"x")
(folder / "gone").read_bytes()
(folder / "gone").unlink()
os.chdir(folder)
files.enter("retrieve")
open("relative").close()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.fclose.argtypes = (ctypes.c_void_p,)
def by_c(path, then):
    file = libc.fopen(os.fsencode(path), b"rb")
    then()
    libc.fclose(file)
by_c(folder / "compiled", lambda: time.sleep(0.3))
class NotReady:
    def __init__(self):
        self.text = ""
    def __fspath__(self):
        raise AttributeError("text")
    __str__ = __fspath__
files.look_at_arguments(wanted=True)
(lambda argument: argument)(NotReady())
by_c(str(folder / "briefly"), lambda: None)
files.look_at_arguments(wanted=False)
with open(folder / "mapped", "rb") as file:
    mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
import colorsys
found = files.stop()
(folder / "later").read_bytes()
print(json.dumps([[Path(file.path).name, file.size_bytes, file.during] for file in found]))
"""
NAMES = ("python", "os", "sqlite", "relative", "compiled", "briefly", "mapped", "later", "gone", "never")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    folder = tmp_path_factory.mktemp("watched")
    for place, name in enumerate(NAMES):
        (folder / name).write_bytes(bytes(100 * (place + 1)))
    told = subprocess.run(
        [sys.executable, "-c", WATCHED, str(folder)], capture_output=True, text=True, timeout=60, check=True
    )
    found = json.loads(told.stdout)
    assert [size for _, size, _ in found] == sorted((size for _, size, _ in found), reverse=True)
    return {name: (size, during) for name, size, during in found}


def test_what_python_opens_is_seen_with_its_size_and_step(seen: dict[str, tuple[int, str]]) -> None:
    assert seen["python"] == (100, "build")
    assert seen["os"] == (200, "build")
    assert seen["sqlite"][1] == "build"
    assert seen["relative"] == (400, "retrieve")
    assert seen["mapped"] == (700, "retrieve")


@pytest.mark.skipif(sys.platform != "linux", reason="what compiled code opens is seen in /proc alone")
def test_what_compiled_code_opens_is_seen_from_outside(seen: dict[str, tuple[int, str]]) -> None:
    assert seen["compiled"] == (500, "retrieve")


def test_a_path_that_is_handed_on_counts_where_its_file_was_open_too_briefly(seen: dict[str, tuple[int, str]]) -> None:
    assert seen["briefly"] == (600, "retrieve")


def test_nothing_else_is_told(seen: dict[str, tuple[int, str]]) -> None:
    """Neither what was written, is gone, was read later or by nobody, nor any code."""
    from_outside = {"compiled"} if sys.platform == "linux" else set()
    assert set(seen) == {"python", "os", "sqlite", "relative", "briefly", "mapped"} | from_outside


@pytest.mark.parametrize(
    "path", [sys.executable, json.__file__, "/etc/passwd", "/proc/self/maps", "/dev/null", "/no/such/file"]
)
def test_code_and_the_systems_files_are_no_data(path: str) -> None:
    assert not is_data(path)


def test_a_model_inside_a_package_is_data(tmp_path: Path) -> None:
    weights = tmp_path / "site-packages/package/model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    (tmp_path / "site-packages/package-1.0.dist-info").mkdir()
    (tmp_path / "site-packages/package-1.0.dist-info/RECORD").touch()

    assert is_data(str(weights))
    assert not is_data(str(tmp_path / "site-packages/package-1.0.dist-info/RECORD"))
