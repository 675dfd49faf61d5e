"""Is .venv what this checkout needs, and if not: what has to be installed?

`make setup` runs this with the interpreter that .venv is made from. Standard library only.
Chosen by the environment: PYTHON (that interpreter) and CMAKE_ARGS (more options for compiling llama.cpp); both are
remembered in .venv until they are given again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import encoder_weights
from llama_wheel import (
    LOCK,
    PROJECT,
    ROOT,
    TOOLS_LOCK,
    SetUpError,
    directory,
    ensure,
    find,
    key,
    minutes,
    pinned_source,
    say,
)

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "set-up.json"
NOT_TO_BE_HAD = "not to be had"
BORROWED = VENV / "borrowed"  # links to an llama-cpp-python that is not ours
VERSION_PROBE = (
    "import llama_cpp, os; print(llama_cpp.__version__, os.path.dirname(os.path.realpath(llama_cpp.__file__)))"
)


def main() -> int:
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    checkout = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(checkout, fcntl.LOCK_EX)  # two set-ups of one checkout go one after the other
    try:
        before = read_stamp()
        wanted = stamp(before)
        if before == wanted and PYTHON.exists():
            print("set-up: .venv is up to date", file=sys.stderr)
            if wanted["encoder"] != NOT_TO_BE_HAD:
                fetch_encoder(wanted)
            return 0
        more = f", with CMAKE_ARGS={wanted['cmake_args']} (give another or an empty one to change it)"
        print(f"set-up: .venv from {wanted['interpreter']}{more if wanted['cmake_args'] else ''}", file=sys.stderr)
        make_venv(before, wanted)
        write_stamp(wanted | {"stage": "packages"})
        install_packages()
        write_stamp(wanted | {"stage": "llama"})
        source = install_llama(Path(wanted["interpreter"]), wanted["cmake_args"])
        write_stamp(wanted)
        fetch_encoder(wanted)
        report(source, time.monotonic() - started)
    except SetUpError as error:
        print(f"set-up failed: {error}\n  {error.remedy}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, a cache folder that cannot be written
        print(f"set-up failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up interrupted; 'make setup' goes on from here", file=sys.stderr)
        return 130
    return 0


def stamp(before: dict[str, str]) -> dict[str, str]:
    """What a finished set-up of this checkout looks like."""
    with (ROOT / "pyproject.toml").open("rb") as handle:
        project = tomllib.load(handle)
    digest = hashlib.sha256(json.dumps([project["project"], project["build-system"]], sort_keys=True).encode())
    scripts = (Path(__file__).with_name(name) for name in ("install.py", "llama_wheel.py", "encoder_weights.py"))
    for path in (LOCK, TOOLS_LOCK, encoder_weights.ENCODER_LOCK, *scripts):
        digest.update(path.read_bytes())
    return {
        "stage": "finished",
        "digest": digest.hexdigest(),
        "checkout": str(ROOT),  # the scripts in .venv/bin name their interpreter by its full path
        "interpreter": chosen_interpreter(before),
        "cmake_args": os.environ.get("CMAKE_ARGS", before.get("cmake_args", "")),
        "encoder": before.get("encoder", ""),
    }


def chosen_interpreter(before: dict[str, str]) -> str:
    """PYTHON if it was given, else the one of last time, else the one that runs this."""
    remembered = before.get("interpreter", "")
    if not os.environ.get("PYTHON") and Path(remembered).is_file():
        return remembered
    if Path(sys.prefix) == VENV:  # an activated .venv cannot be made from itself
        return str(getattr(sys, "_base_executable", sys.executable))
    return sys.executable


def read_stamp() -> dict[str, str]:
    try:
        content = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in content.items()} if isinstance(content, dict) else {}


def write_stamp(content: dict[str, str]) -> None:
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    fresh.replace(STAMP)


def make_venv(before: dict[str, str], wanted: dict[str, str]) -> None:
    """Make .venv, or keep the one that is there when it is whole and from the same interpreter."""
    same = all(before.get(name, wanted[name]) == wanted[name] for name in ("interpreter", "checkout"))
    asked_for_another = not before and bool(os.environ.get("PYTHON"))
    if (
        same
        and before.get("stage") != "packages"
        and not asked_for_another
        and runs([str(PYTHON), "-m", "pip", "--version"])
    ):
        return
    if not runs([wanted["interpreter"], "-c", "import ensurepip, venv"]):
        raise SetUpError(
            f"{wanted['interpreter']} comes without venv",
            "apt-get install python3-venv (or choose another Python: make setup PYTHON=...)",
        )
    step(
        "making .venv",
        [wanted["interpreter"], "-m", "venv", "--clear", str(VENV)],
        "free some disk space and try again",
    )


def install_packages() -> None:
    """Install the lock, every file checked by its hash, then the project itself, editable."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as listed:
        listed.write(LOCK.read_text(encoding="utf-8").replace(pinned_source()[0], ""))  # that one is compiled
        listed.flush()
        step(
            f"installing the packages of {LOCK.name}",
            [*pip("install"), "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", listed.name],
            "pip must reach a package index: check the network and pip's configuration (pip config list)",
        )
    command = [*pip("install"), "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    step("installing synapse-perf itself", command, "run 'make clean' and 'make setup'")


def install_llama(interpreter: Path, cmake_args: str) -> str:
    """Use an llama-cpp-python that is there already; else install the one that is compiled once per machine."""
    version = pinned_source()[1]
    found = imported([str(PYTHON), "-I", "-c", VERSION_PROBE])
    origin = installed_from()
    if found and origin == key(cmake_args):
        return f"{found[0]}, compiled for this machine"
    if found and origin is None and not BORROWED.exists():
        return f"{found[0]}, as it was in .venv"
    forget_borrowed()
    there = imported([str(interpreter), "-c", VERSION_PROBE])
    if there and borrow(Path(there[1])):
        return f"{there[0]}, the one of {interpreter}"
    if find(cmake_args) is None:
        say(f"{PROJECT} {version}: to be compiled, about 4 minutes on 2 cores")
    wheel = ensure(PYTHON, cmake_args)
    command = [*pip("install"), "--no-deps", "--no-index", "--force-reinstall", str(wheel)]
    step(f"installing {PROJECT} {version}", command, f"delete {wheel.parent} and run 'make setup'")
    if not imported([str(PYTHON), "-I", "-c", VERSION_PROBE]):
        raise SetUpError(f"the compiled {PROJECT} cannot be imported", f"delete {wheel.parent} and run 'make setup'")
    return f"{version}, compiled for this machine"


def fetch_encoder(wanted: dict[str, str]) -> None:
    """The weights that retrieval is measured with; the program works without, so nothing fails for the lack of them.

    That they could not be had is remembered: or every `make test` without a network would wait for it.
    """
    problem = encoder_weights.fetch(PYTHON)
    if problem:
        again = f"{PYTHON} {Path(encoder_weights.__file__)}"
        say(f"warning: {encoder_weights.NAME} is not here, an encoder with random weights stands in: {problem}")
        say(f"to try again: {again}")
    state = NOT_TO_BE_HAD if problem else ""
    if state != wanted["encoder"]:
        write_stamp(wanted | {"encoder": state})


def installed_from() -> str | None:
    """The key of the compiled wheel that pip says it installed llama-cpp-python from; None for anybody else's."""
    for record in VENV.glob("lib/python*/site-packages/llama_cpp_python-*.dist-info/direct_url.json"):
        found = re.search(r"/wheels/([^/]+-[0-9a-f]{12})/", record.read_text(encoding="utf-8"))
        return found[1] if found else None
    return None


def borrow(package: Path) -> bool:
    """Make another interpreter's llama-cpp-python importable here, by links: nothing else of it comes along."""
    BORROWED.mkdir()
    for source in (package, *package.parent.glob("llama_cpp_python-*.dist-info")):
        (BORROWED / source.name).symlink_to(source)
    for site in VENV.glob("lib/python*/site-packages"):
        (site / "borrowed-llama-cpp.pth").write_text(f"{BORROWED}\n", encoding="utf-8")
    if imported([str(PYTHON), "-I", "-c", VERSION_PROBE]):
        return True
    forget_borrowed()
    return False


def forget_borrowed() -> None:
    shutil.rmtree(BORROWED, ignore_errors=True)
    for path in VENV.glob("lib/python*/site-packages/borrowed-llama-cpp.pth"):
        path.unlink()


def imported(command: list[str]) -> tuple[str, str] | None:
    """Version and folder of the llama_cpp that a command imports; None when it has none that works."""
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    words = done.stdout.strip().split(" ", 1)
    return (words[0], words[1]) if done.returncode == 0 and len(words) == 2 else None


def pip(action: str) -> list[str]:
    return [str(PYTHON), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", action, "--quiet"]


def runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def step(name: str, command: list[str], remedy: str) -> None:
    """One command whose output matters only when it fails."""
    started = time.monotonic()
    say(name)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise SetUpError(f"{name} failed:\n" + "\n".join(done.stdout.strip().splitlines()[-30:]), remedy)
    say(f"  {minutes(time.monotonic() - started)}")


def report(llama: str, seconds: float) -> None:
    used, kept = (sum(path.lstat().st_blocks for path in folder.rglob("*")) // 2048 for folder in (VENV, directory()))
    say(f"{PROJECT} {llama}")
    say(f"ready in {minutes(seconds)}; .venv takes {used} MiB, compiled wheels {kept} MiB in {directory()}")
    say("the command is .venv/bin/synapse-perf")


if __name__ == "__main__":
    sys.exit(main())
