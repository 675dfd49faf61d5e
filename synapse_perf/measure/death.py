"""Why did a worker end without saying so?"""

from __future__ import annotations

import re
import signal
from pathlib import Path

from synapse_perf.llama.load_failure import explain
from synapse_perf.model import Failure
from synapse_perf.units import format_duration

TOLD_LINES = 24
LINES_BEFORE = 8
DUMP = "Fatal Python error"  # as the fault handler's dump of all threads begins, with the one that crashed first
TOO_LONG = "choose a smaller model or context, or more time with --max-time"
STARTING = "start of the worker"  # the stage before a worker names one
NOT_STARTED = "give a Python from 3.11 on with --python, or leave it out"
# As ggml's abort says where it happened, and as the C++ library names an exception that nobody caught.
_ABORTED = re.compile(r"(?:\.(?:c|cc|cpp|cu|cuh|h|m|mm):\d+: |what\(\): +)(.+)")


def oom_kills() -> int | None:
    """How often the kernel's out-of-memory killer has struck, in this control group or, failing that, the machine."""
    for path, separator in ((_memory_events(), " "), (Path("/proc/vmstat"), " ")):
        try:
            for line in path.read_text().splitlines():
                name, _, value = line.partition(separator)
                if name == "oom_kill":
                    return int(value)
        except (OSError, ValueError):
            continue
    return None


def _memory_events() -> Path:
    try:
        group = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2]
    except OSError:
        group = "/"
    return Path("/sys/fs/cgroup") / group.lstrip("/") / "memory.events"


def explain_death(
    returncode: int | None, stderr: str, stage: str, timed_out_after_s: float | None, kills_before: int | None
) -> Failure:
    """A worker's exit status in words; `detail` carries the last lines that it or llama.cpp wrote."""
    detail = "\n".join(_told_lines(stderr.strip().splitlines()))
    if timed_out_after_s is not None:
        return Failure(
            "time-out",
            f"no end after {format_duration(timed_out_after_s)}, in the stage: {stage}",
            TOO_LONG,
            detail,
        )
    if returncode is not None and returncode < 0:
        return _explain_signal(-returncode, detail, stage, kills_before)
    last = detail.splitlines()[-1] if detail else "it wrote nothing"
    message = f"the worker ended with status {returncode} in the stage: {stage}: {last}"
    remedy = NOT_STARTED if stage == STARTING else explain(last)[1]
    return Failure("crash", message, remedy, detail)


def _told_lines(lines: list[str]) -> list[str]:
    """The last ones; of a dump of many threads the first."""
    dump = next((place for place, line in enumerate(lines) if line.startswith(DUMP)), None)
    if dump is None or len(lines) - dump <= TOLD_LINES:
        return lines[-TOLD_LINES:]
    return lines[max(0, dump - LINES_BEFORE) : dump + TOLD_LINES]


def _explain_signal(number: int, detail: str, stage: str, kills_before: int | None) -> Failure:
    name = signal.Signals(number).name if number in signal.valid_signals() else f"signal {number}"
    kills_now = oom_kills()
    if number == signal.SIGKILL:
        if kills_before is not None and kills_now is not None and kills_now > kills_before:
            return Failure(
                "out-of-memory",
                f"the system killed the worker because memory ran out, in the stage: {stage}",
                "choose a smaller model, context or KV type, or close other programs",
                detail,
            )
        return Failure(
            "crash",
            f"something killed the worker (SIGKILL) in the stage: {stage}",
            "if it was the system's out-of-memory killer, choose a smaller model or context",
            detail,
        )
    words = _last_words(detail)
    told = f": {words}" if words else ""
    kind, remedy = explain(words)
    if number == signal.SIGBUS:
        remedy = "check the model's file and its disk: a mapped file that shrinks or cannot be read ends a process so"
    return Failure(
        kind if kind == "out-of-memory" else "crash",
        f"the worker died of {name} in the stage: {stage}{told}",
        remedy,
        detail,
    )


def _last_words(detail: str) -> str:
    """What ggml or the C++ library said when it aborted, without the place in the sources; else the last error told."""
    lines = [line for line in reversed(detail.splitlines()) if not line.startswith(DUMP)]
    aborted = next((match[1] for line in lines if (match := _ABORTED.search(line))), "")
    told = next((line for line in lines if "GGML_ASSERT" in line or "error" in line or "failed" in line), "")
    return (aborted or told).strip()
