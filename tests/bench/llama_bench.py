"""Where is the llama-bench of the very sources that llama-cpp-python is compiled from, and how is it made?

``python tests/bench/llama_bench.py`` compiles it, at the lowest priority and with two jobs, into the user's cache,
beside the wheel that the set-up keeps there and with the wheel's own flags, and prints where it is.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tarfile
from pathlib import Path
from types import ModuleType

JOBS = "2"
ROOT = Path(__file__).resolve().parents[2]


def _llama_wheel() -> ModuleType:
    """The set-up's own script: which sources, which flags, and how a compiler is watched."""
    spec = importlib.util.spec_from_file_location("llama_wheel", ROOT / ".ci" / "llama_wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


wheel = _llama_wheel()


def directory(cmake_args: str = "") -> Path:
    """Beside the wheels, under the name that the wheel of the same sources and flags has."""
    return Path(wheel.directory()).with_name("llama-bench") / str(wheel.key(cmake_args))


def ensure(python: Path, home: Path, cmake_args: str = "") -> Path:
    """The program in that directory, compiled now if need be, in minutes."""
    program = home / "llama-bench"
    home.parent.mkdir(parents=True, exist_ok=True)
    with wheel.locked(home.with_name(f"{home.name}.lock")):
        if not program.is_file():
            wheel.require_compiler()
            work = home.with_name(f"{home.name}.building")
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            _compile(work, python, cmake_args, home.with_name(f"{home.name}.log"))
            shutil.copytree(work / "build" / "bin", work / "finished", symlinks=True)
            (work / "finished").rename(home)  # all at once: a program that can be found is whole
            shutil.rmtree(work)
    return program


def _compile(work: Path, python: Path, cmake_args: str, log: Path) -> None:
    tools, sources, build = work / "tools", work / "sources", work / "build"
    wanted = work / "source.txt"
    wanted.write_text(wheel.pinned_source()[0], encoding="utf-8")
    environment = os.environ | {
        "TMPDIR": str(work),
        "PYTHONPATH": str(tools),
        "PATH": f"{tools / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    hashed = ["--require-hashes", "--no-deps"]
    fetch_tools = [*pip, "install", "--target", str(tools), *hashed, "-r", str(wheel.TOOLS_LOCK)]
    fetch_source = [*pip, "download", "--no-binary", wheel.PROJECT, "--no-build-isolation", *hashed]
    fetch_source += ["-d", str(sources), "-r", str(wanted)]
    with log.open("w", encoding="utf-8") as record:
        for command in (fetch_tools, fetch_source):
            _follow(command, environment, record)
        (archive,) = sources.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(sources, filter="data")
        archive.unlink()
        (root,) = sources.iterdir()
        flags = [*wheel.FLAGS.split(), *cmake_args.split(), "-DLLAMA_BUILD_TOOLS=ON", "-DCMAKE_BUILD_TYPE=Release"]
        flags += ["-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON", "-DSKBUILD_PLATLIB_DIR=unused"]
        configure = ["cmake", "-G", "Ninja", "-S", str(root), "-B", str(build), *flags]
        compile_it = ["nice", "-n", "19", "cmake", "--build", str(build), "--target", "llama-bench", "-j", JOBS]
        for command in (configure, compile_it):
            _follow(command, environment, record)


def _follow(command: list[str], environment: dict[str, str], record: object) -> None:
    lines = wheel.Progress()
    code, tail = wheel.follow(command, environment, record, lines)
    lines.end()
    if code != 0:
        sys.exit("\n".join([f"llama-bench could not be built ({' '.join(command[:4])} ...: exit code {code})", *tail]))


if __name__ == "__main__":
    own_args = os.environ.get("CMAKE_ARGS", "")
    print(ensure(Path(sys.executable), directory(own_args), own_args))  # noqa: T201
