"""Two runtimes of one kind are seen by their names, and this process's own libraries by their paths."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

from synapse_perf.host import loaded_libraries as module
from synapse_perf.host.loaded_libraries import loaded_libraries, thread_runtimes

LINUX = [
    "/opt/lib/python3.11/site-packages/faiss_cpu.libs/libgomp-e985bcbb.so.1.0.0",
    "/opt/lib/python3.11/site-packages/faiss_cpu.libs/libopenblaso-r0-d77a1985.3.15.so",
    "/opt/lib/python3.11/site-packages/numpy.libs/libscipy_openblas64_-32a4b2a6.so",
    "/usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0",
    "/usr/lib/x86_64-linux-gnu/libm.so.6",
]
MACOS = [
    "/opt/lib/python3.11/site-packages/faiss/.dylibs/libomp.dylib",
    "/opt/lib/python3.11/site-packages/torch/lib/libiomp5.dylib",
    "/usr/lib/libSystem.B.dylib",
]


def test_runtimes_are_told_with_the_folder_that_brought_them() -> None:
    assert thread_runtimes(LINUX) == {
        "openmp": ["faiss_cpu.libs/libgomp-e985bcbb.so.1.0.0", "x86_64-linux-gnu/libgomp.so.1.0.0"],
        "blas": ["faiss_cpu.libs/libopenblaso-r0-d77a1985.3.15.so", "numpy.libs/libscipy_openblas64_-32a4b2a6.so"],
    }
    assert thread_runtimes(MACOS)["openmp"] == [".dylibs/libomp.dylib", "lib/libiomp5.dylib"]


@pytest.mark.parametrize("name", ["libompi.so", "libgompertz.so", "libblastn.so.3", "libggml-blas-like.so"])
def test_other_libraries_of_like_names_are_none(name: str) -> None:
    assert thread_runtimes([f"/usr/lib/{name}"]) == {"openmp": [], "blas": []}


class Dyld:
    """What macOS's loader answers through ctypes."""

    def __init__(self, paths: list[str]) -> None:
        def name(number: int) -> bytes:
            return paths[number].encode()

        self._dyld_image_count = lambda: len(paths)
        self._dyld_get_image_name = name


def test_on_macos_the_loader_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Dyld(MACOS))

    assert loaded_libraries() == sorted(MACOS)


def test_on_macos_a_loader_that_does_not_answer_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())

    assert loaded_libraries() is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_loaded_here_is_seen() -> None:
    paths = loaded_libraries()

    assert np.__file__
    assert paths is not None
    assert any("_multiarray_umath" in path for path in paths)
    assert all(path.startswith("/") for path in paths)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_path_with_spaces_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = tmp_path / "maps"
    line = "7f00-7f01 r-xp 00000000 08:01 1234                       /opt/my libs/libgomp.so.1 (deleted)\n"
    maps.write_text(line + "7f02-7f03 rw-p 00000000 00:00 0 \n")
    monkeypatch.setattr(module, "MAPS", maps)

    assert loaded_libraries() == ["/opt/my libs/libgomp.so.1"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_system_that_does_not_tell_gives_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAPS", tmp_path / "gone")

    assert loaded_libraries() is None
