"""Where is the wheel of llama-cpp-python for this machine, and how is it made when there is none?

It is compiled once per machine, into the user's cache: every checkout installs from there. Standard library only.
`python .ci/llama_wheel.py key` and `... directory` print what a cache of a CI service needs to know.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
TOOLS_LOCK = ROOT / ".ci" / "build.lock"
PROJECT = "llama-cpp-python"
# llava is not used; RPC lets the tests offload to a device without a GPU. Metal comes by itself on a Mac.
FLAGS = "-DLLAVA_BUILD=OFF -DGGML_RPC=on"
# llama.cpp is compiled with -march=native, so a wheel must not reach a processor that lacks one of these.
CPU_FEATURES = ("sse", "ssse", "avx", "fma", "f16c", "bmi", "amx", "asimd", "fphp", "sve", "sme", "i8mm", "bf16")
LINE_EVERY_S = 20.0
SHOWN_ON_FAILURE = 30
STEP = re.compile(r"^\s*\[(\d+)/(\d+)\] ")


class SetUpError(Exception):
    """What went wrong, and in `remedy` what to do about it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def pinned_source() -> tuple[str, str]:
    """The lock's own lines for llama-cpp-python, hashes included, and its version."""
    text = LOCK.read_text(encoding="utf-8")
    found = re.search(rf"^{PROJECT}==(\S+)(?:[^\n]*\\\n)(?:[ \t]+--hash=[^\n]*\n)+", text, re.MULTILINE)
    if found is None:
        raise SetUpError(f"{LOCK.name} does not pin {PROJECT}", "run 'make lock'")
    return found[0], found[1]


def directory() -> Path:
    """Where wheels are kept: beside the program's other files in the user's cache."""
    own = os.environ.get("SYNAPSE_PERF_CACHE_DIR")
    if own:
        return Path(own) / "wheels"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "synapse-perf" / "wheels"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "synapse-perf" / "wheels"


def key(cmake_args: str) -> str:
    """Name everything that decides whether a wheel fits: source, flags, system, C library and processor."""
    source, version = pinned_source()
    c_library = "-".join(platform.libc_ver()) if sys.platform == "linux" else ""
    digest = hashlib.sha256("\n".join((source, FLAGS, cmake_args, c_library, processor())).encode()).hexdigest()
    return f"{version}-{sys.platform}-{platform.machine()}-{digest[:12]}"


def processor() -> str:
    """The processor's instruction sets as far as a compiler uses them."""
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        return asked.stdout.strip()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    names = found[1].split() if found else []
    return " ".join(sorted({name for name in names if name.startswith(CPU_FEATURES)}))


def find(cmake_args: str) -> Path | None:
    """The finished wheel for this machine, if there is one."""
    return next(iter(sorted((directory() / key(cmake_args)).glob("*.whl"))), None)


def ensure(python: Path, cmake_args: str) -> Path:
    """The wheel for this machine, compiled now if need be; of several set-ups at a time one compiles."""
    name = key(cmake_args)
    home = directory()
    home.mkdir(parents=True, exist_ok=True)
    with locked(home / f"{name}.lock"):
        found = find(cmake_args)
        if found is not None:
            return found
        for left in home.glob(f"{name}.building-*"):  # by a compilation that was killed
            shutil.rmtree(left, ignore_errors=True)
        work, log = home / f"{name}.building-{os.getpid()}", home / f"{name}.log"
        (work / "temporary").mkdir(parents=True)
        try:
            compile_into(work, python, cmake_args, log)
            (work / "wheel").rename(home / name)  # all at once: a wheel that can be found is whole
        finally:
            shutil.rmtree(work, ignore_errors=True)
    made = find(cmake_args)
    if made is None:
        raise SetUpError(f"the build of {PROJECT} ended without a wheel", f"see {log}")
    log.unlink()
    return made


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file for this process alone; the system frees it whatever becomes of the process."""
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up on this machine")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def compile_into(work: Path, python: Path, cmake_args: str, log: Path) -> None:
    """Build the pinned source with pinned tools; everything stays below `work`, the wheel ends in `work/wheel`."""
    require_compiler()
    tools = work / "tools"
    source = work / "source.txt"
    source.write_text(pinned_source()[0], encoding="utf-8")
    environment = os.environ | {
        "TMPDIR": str(work / "temporary"),
        "PYTHONPATH": str(tools),
        "PATH": f"{tools / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "CMAKE_ARGS": f"{FLAGS} {cmake_args}".strip(),
    }
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    fetch = [*pip, "install", "--target", str(tools), "--require-hashes", "--no-deps", "-r", str(TOOLS_LOCK)]
    # Without its cache, or pip could hand out a wheel that it once built with other flags.
    build = [*pip, "wheel", "-v", "--no-cache-dir", "--no-deps", "--no-build-isolation", "--require-hashes"]
    build += ["--no-binary", PROJECT, "--wheel-dir", str(work / "wheel"), "-r", str(source)]
    with log.open("w", encoding="utf-8") as record:
        say("fetching the build tools and the source")
        for command in (fetch, build):
            lines = Progress()
            code, tail = follow(command, environment, record, lines)
            lines.end()
            if code != 0:
                raise SetUpError(
                    f"{PROJECT} could not be built (exit code {code}):\n" + "\n".join(tail),
                    f"{compiler_remedy()}; the whole output is in {log}",
                )


def follow(command: list[str], environment: dict[str, str], record: TextIO, lines: Progress) -> tuple[int, list[str]]:
    """Run a command in a process group of its own; its exit code and the last lines that it printed."""
    tail: deque[str] = deque(maxlen=SHOWN_ON_FAILURE)
    closed = False
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                record.write(line)
                closed = closed or "subprocess-exited-with-error" in line  # what pip says after it is its own
                if not closed and line.strip():
                    tail.append(line.rstrip()[:300])
                lines.saw(line)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            raise
    return process.returncode, list(tail)


class Progress:
    """One line that counts compiled files on a terminal; elsewhere a new line every 20 seconds."""

    def __init__(self) -> None:
        self.updating = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.begun: float | None = None
        self.last = 0.0

    def saw(self, line: str) -> None:
        found = STEP.match(line)
        if found is None:
            return
        done, total, now = int(found[1]), int(found[2]), time.monotonic()
        if self.begun is None:
            self.begun = now
            say(f"compiling {total} files; this happens once on this machine")
        if now - self.last < (0.2 if self.updating else LINE_EVERY_S) and done < total:
            return
        self.last = now
        text = f"  compiling {done:3}/{total}, {done * 100 // total:3} %"
        if done >= total // 20:  # the first files say little about the rest
            text += f", about {minutes((now - self.begun) / done * (total - done))} left"
        print(
            f"\r{text:<70}" if self.updating else text, end="" if self.updating else "\n", file=sys.stderr, flush=True
        )

    def end(self) -> None:
        if self.updating and self.begun is not None:
            print(file=sys.stderr)


def require_compiler() -> None:
    """Say at once that there is no compiler, not after minutes."""
    if not any(shutil.which(name) for name in (os.environ.get("CXX") or "c++", "g++", "clang++")):
        raise SetUpError(f"{PROJECT} must be compiled and there is no C++ compiler", compiler_remedy())


def compiler_remedy() -> str:
    if sys.platform == "darwin":
        return "install the compiler with: xcode-select --install"
    return "install the compiler with: apt-get install gcc g++ (or your system's packages of these)"


def minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    answers = {"key": lambda: key(os.environ.get("CMAKE_ARGS", "")), "directory": lambda: str(directory())}
    if len(sys.argv) != 2 or sys.argv[1] not in answers:
        sys.exit("usage: llama_wheel.py key|directory")
    print(answers[sys.argv[1]]())
