"""What llama.cpp does the chosen interpreter have? Asked in a process of its own, so that this one never loads it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synapse_perf.host.condition import TIMING, Condition
from synapse_perf.host.macos_settings import MACOS, sysctl
from synapse_perf.units import GIB, format_bytes

_SCRIPT = Path(__file__).resolve().parent.parent / "llama" / "describe.py"
_TIMEOUT_S = 120.0  # the first start of a build on a Mac compiles Metal's shaders, up to half a minute
_OLDEST_PYTHON = (3, 11)
_INSTRUCTIONS = {"avx2": "AVX2", "fma": "FMA", "f16c": "F16C"}  # cpuinfo's name to llama.cpp's


def ask(python: str | None = None, rpc_servers: Sequence[str] = ()) -> dict[str, Any]:
    """What `describe.py` answers under that interpreter; ``{"error": ...}`` where it gives no answer.

    The devices of `rpc_servers` (endpoints) are in the answer too; one that cannot be asked is an error.
    """
    try:
        done = subprocess.run(
            [python or sys.executable, str(_SCRIPT), *rpc_servers],
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {_TIMEOUT_S:.0f} s"}
    except OSError as error:
        return {"error": error.strerror or str(error)}
    except ValueError:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        return {"error": f"it ended with code {done.returncode}: {' '.join(last) or 'no message'}"}
    return answer if isinstance(answer, dict) else {"error": "an answer of another form"}


def conditions(found: dict[str, Any], gpus: tuple[str, ...], flags: frozenset[str]) -> list[Condition]:
    """The lines on interpreter, build and devices. `gpus` and `flags` are what the machine itself has."""
    lines = [interpreter(found)]
    if lines[0].state == "unavailable":
        return lines
    lines.append(package(found))
    if lines[-1].state == "unavailable":
        return lines
    return [*lines, devices(found, gpus), instructions(found, flags), abilities(found)]


def interpreter(found: dict[str, Any]) -> Condition:
    remedy = "name another with --python"
    if "python" not in found:
        return Condition("interpreter", "unavailable", f"does not run: {found['error']}", remedy, TIMING)
    version = str(found["python"])
    what = f"{found['implementation']} {version}, {found['executable']}"
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_PYTHON:
        return Condition("interpreter", "unavailable", f"{what}: older than 3.11", remedy, TIMING)
    if found["machine"] == "x86_64" and MACOS and sysctl("sysctl.proc_translated").get("sysctl.proc_translated") == "1":
        remedy = "use an arm64 Python: translated code is slow and has no Metal"
        return Condition("interpreter", "warning", f"{what}, x86_64 translated by Rosetta", remedy, TIMING)
    return Condition("interpreter", "ok", what)


def package(found: dict[str, Any]) -> Condition:
    if "error" in found:
        missing = found["package"] is None and str(found["error"]).startswith("ModuleNotFoundError")
        what = "llama-cpp-python is not installed" if missing else f"llama-cpp-python does not load: {found['error']}"
        remedy = f"{found['executable']} -m pip install llama-cpp-python"
        return Condition("llama.cpp", "unavailable", what, remedy, ("load", "latency"))
    build = " ".join(
        f"{label} {found[key]}"
        for label, key in (("llama.cpp", "llama_version"), ("ggml", "ggml_version"), ("commit", "ggml_commit"))
        if found.get(key)
    )
    version = found["package"] or "of unknown version"
    return Condition("llama.cpp", "ok", f"llama-cpp-python {version}" + (f" ({build})" if build else ""))


def devices(found: dict[str, Any], gpus: tuple[str, ...]) -> Condition:
    listed = ", ".join(_device(device) for device in found["devices"]) or "none"
    if gpus and not any(device["is_gpu"] for device in found["devices"]):
        back_end = "METAL" if MACOS else "CUDA" if "NVIDIA" in gpus[0] else "VULKAN"
        return Condition(
            "devices",
            "warning",
            f"{listed}; {gpus[0]} is not used: this build has no back end for it",
            f'CMAKE_ARGS="-DGGML_{back_end}=on" {found["executable"]} -m pip install '
            "--force-reinstall --no-cache-dir --no-binary llama-cpp-python llama-cpp-python",
            ("load", "latency"),
        )
    return Condition("devices", "ok", listed)


def instructions(found: dict[str, Any], flags: frozenset[str]) -> Condition:
    """A build for any machine leaves out instructions that this one has, and computes several times slower."""
    info = found["system_info"]
    unused = [theirs for ours, theirs in _INSTRUCTIONS.items() if ours in flags and f"{theirs} = 1" not in info]
    used = [part.split(" = ")[0].split(" : ")[-1].strip() for part in info.split("|") if part.strip().endswith("= 1")]
    if unused:
        remedy = f"{found['executable']} -m pip install --force-reinstall --no-binary llama-cpp-python llama-cpp-python"
        what = f"the processor has {', '.join(unused)}, this build does not use it"
        return Condition("instructions", "warning", what, remedy, ("load", "latency"))
    return Condition("instructions", "ok", ", ".join(used) or "the build names none")


def abilities(found: dict[str, Any]) -> Condition:
    names = (("mmap", "mmap"), ("mlock", "mlock"), ("gpu_offload", "offload"), ("rpc", "RPC"))
    can = [name for key, name in names if found[key]]
    cannot = [name for key, name in names if found[key] is False]
    what = "; ".join(f"{word} {', '.join(part)}" for word, part in (("can", can), ("cannot", cannot)) if part)
    return Condition("load modes", "ok", what)


def _device(device: dict[str, Any]) -> str:
    name, description, total = device["name"], device["description"], device["total_bytes"]
    text = f"{name} ({description})" if description and description != name else str(name)
    return f"{text} {format_bytes(total)}" if total >= GIB // 16 else text
