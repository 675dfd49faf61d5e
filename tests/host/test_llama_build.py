from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.host.llama_build import ask, conditions

FOUND: dict[str, Any] = {
    "python": "3.12.4",
    "implementation": "CPython",
    "executable": "/opt/models/bin/python",
    "machine": "arm64",
    "package": "0.3.36",
    "llama_version": "0.5.0",
    "ggml_version": "0.25.3",
    "ggml_commit": None,
    "system_info": "CPU : SSE3 = 1 | AVX2 = 1 | FMA = 1 | F16C = 1 | AVX512 = 0 | ",
    "mmap": True,
    "mlock": True,
    "gpu_offload": False,
    "rpc": None,
    "devices": [{"name": "CPU", "description": "AMD EPYC", "is_gpu": False, "free_bytes": 0, "total_bytes": 16 << 30}],
}
METAL = {"name": "MTL0", "description": "Apple M4", "is_gpu": True, "free_bytes": 0, "total_bytes": 12 << 30}


def lines(found: dict[str, Any], gpus: tuple[str, ...] = (), flags: frozenset[str] = frozenset()) -> dict[str, str]:
    return {one.name: f"{one.state}: {one.what}" for one in conditions(found, gpus, flags)}


def test_a_sound_build_is_told_and_silent() -> None:
    assert lines(FOUND, (), frozenset({"avx2", "fma", "f16c"})) == {
        "interpreter": "ok: CPython 3.12.4, /opt/models/bin/python",
        "llama.cpp": "ok: llama-cpp-python 0.3.36 (llama.cpp 0.5.0 ggml 0.25.3)",
        "devices": "ok: CPU (AMD EPYC) 16.0 GiB",
        "instructions": "ok: SSE3, AVX2, FMA, F16C",
        "load modes": "ok: can mmap, mlock; cannot offload",
    }


def test_a_gpu_that_is_used_is_listed() -> None:
    found = lines({**FOUND, "devices": [*FOUND["devices"], METAL]}, ("Apple M4 (10 GPU cores)",))
    assert found["devices"] == "ok: CPU (AMD EPYC) 16.0 GiB, MTL0 (Apple M4) 12.0 GiB"


def test_a_gpu_that_the_build_cannot_use_is_a_warning_with_the_command_that_helps() -> None:
    devices = conditions(FOUND, ("NVIDIA H100 80GB HBM3",), frozenset())[2]
    assert devices.state == "warning"
    assert "NVIDIA H100 80GB HBM3 is not used" in devices.what
    assert "-DGGML_CUDA=on" in devices.remedy


def test_instructions_that_the_build_leaves_out_are_a_warning() -> None:
    old = {**FOUND, "system_info": "CPU : SSE3 = 1 | "}
    found = lines(old, (), frozenset({"avx2", "fma"}))
    assert found["instructions"] == "warning: the processor has AVX2, FMA, this build does not use it"


def test_a_missing_package_ends_the_list_with_its_command() -> None:
    missing = {**FOUND, "package": None, "error": "ModuleNotFoundError: No module named 'llama_cpp'"}
    *_, last = conditions(missing, (), frozenset())
    assert (last.name, last.state, last.what) == ("llama.cpp", "unavailable", "llama-cpp-python is not installed")
    assert last.remedy == "/opt/models/bin/python -m pip install llama-cpp-python"


def test_a_library_that_does_not_load_says_why() -> None:
    broken = {**FOUND, "error": "OSError: libcudart.so.12: cannot open shared object file"}
    assert "does not load: OSError: libcudart.so.12" in lines(broken)["llama.cpp"]


def test_an_interpreter_that_is_too_old() -> None:
    assert "older than 3.11" in lines({**FOUND, "python": "3.9.18"})["interpreter"]


def test_the_interpreter_of_these_tests_answers() -> None:
    """The real script in a real process."""
    found = ask()
    assert found["executable"] == sys.executable
    assert found["mmap"] is True
    assert any(device["name"] == "CPU" for device in found["devices"])


def test_an_interpreter_without_llama_cpp_answers_too() -> None:
    found = ask(getattr(sys, "_base_executable", sys.executable))
    assert found["python"]
    assert "devices" in found or found["error"].startswith("ModuleNotFoundError")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo not json", "it ended with code 0: no message"),
        ("echo Illegal instruction >&2; exit 132", "it ended with code 132: Illegal instruction"),
        ("echo 42", "an answer of another form"),
    ],
)
def test_a_program_that_is_no_interpreter_is_told(tmp_path: Path, script: str, words: str) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (line,) = conditions(ask(str(program)), (), frozenset())
    assert (line.name, line.state) == ("interpreter", "unavailable")
    assert words in line.what


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    assert ask(str(tmp_path / "python")) == {"error": "No such file or directory"}
