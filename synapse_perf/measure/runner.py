"""The parent side of a trial: starts the worker, reads what it reports, and turns every way to die into a Failure."""

from __future__ import annotations

import contextlib
import importlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from synapse_perf.benchmarks import module_name
from synapse_perf.clock import now_ns, seconds_between
from synapse_perf.errors import InputError
from synapse_perf.host import page_cache
from synapse_perf.host.pressure import ContentionMeter, disturbances
from synapse_perf.host.pressure import facts as contention_facts
from synapse_perf.measure import protocol
from synapse_perf.measure.death import STARTING, explain_death, oom_kills
from synapse_perf.measure.events import Observe, StageEntered
from synapse_perf.model import Fact, Failure, Json, Sample, Trial, TrialSpec

if TYPE_CHECKING:
    from synapse_perf.measure.register import Register

LAUNCHER = Path(__file__).with_name("launch.py")
STDERR_TAIL_BYTES = 8192
UNCERTIFIED = "uncertified"
# Where llama.cpp aborts, it would else run gdb on the worker: seconds, and pages of frames after the words that matter.
QUIET_DEATH = {"GGML_NO_BACKTRACE": "1"}
GO_LINE = (protocol.GO + "\n").encode()
GRACE_S = 5.0  # for a worker that has said all it had to say

Attach = Callable[[int], contextlib.AbstractContextManager[object]]


def run_trial(
    spec: TrialSpec, process: int, *, register: Register, observe: Observe, attach: Attach | None = None
) -> Trial:
    """Run one trial in a fresh process; never raises for what happens in there.

    `attach` is entered with the worker's pid between ready and go, and left when the worker has ended: such a trial is
    for looking at, its times include the wait.
    """
    started_ns = now_ns()
    try:
        spec, certificate = _prepare_page_cache(spec, observe)
        last_words = tempfile.TemporaryFile()  # noqa: SIM115 (closed below)
    except (InputError, OSError) as error:  # the file has gone since the run began, or there is no place for our own
        return _not_prepared(spec, process, error)
    with last_words as stderr:
        kills_before = oom_kills()
        try:
            worker, spawned_ns = _spawn(spec, stderr, is_watched=attach is not None or spec.watch_inside)
        except OSError as error:
            return _not_started(spec, process, error)
        register.add(worker.pid)
        report = _Report(worker, register, observe, attach)
        with ContentionMeter() as meter:
            try:
                is_late = _hear_out(worker, spec, spawned_ns, report)
            finally:
                _end(worker)
                register.remove(worker.pid)
                register.end_left()
        failure = report.failure
        if failure is None and not report.is_done:
            failure = explain_death(
                worker.returncode, _tail(stderr), report.stage, spec.timeout_s if is_late else None, kills_before
            )
    if failure is not None:
        failure = replace(failure, arm=spec.arm, labels=dict(spec.labels))
    return Trial(
        spec=spec,
        process=process,
        samples=tuple(sample._replace(facts={**certificate, **sample.facts}) for sample in report.samples),
        wall_s=seconds_between(started_ns, now_ns()),
        facts=report.facts,
        failure=failure,
        warnings=disturbances(meter.result) if meter.result else (),
        contention=contention_facts(meter.result) if meter.result else {},
    )


class _Report:
    """What the worker has said so far, and what follows from each thing it says."""

    def __init__(
        self, worker: subprocess.Popen[bytes], register: Register, observe: Observe, attach: Attach | None
    ) -> None:
        self.samples: list[Sample] = []
        self.facts: dict[str, Json] = {}
        self.failure: Failure | None = None
        self.is_done = False
        self.stage = STARTING
        self.attach = attach
        self.attached = contextlib.ExitStack()
        self._worker = worker
        self._register = register
        self._observe = observe

    def receive(self, message: protocol.Message) -> None:
        match message:
            case protocol.Ready(pid=pid):
                self._let_go(pid)
            case protocol.Stage(text=text):
                self.stage = text
                self._observe(StageEntered(text))
            case protocol.Started(pid=pid):
                self._register.add(pid)
            case protocol.Ended(pid=pid):
                self._register.remove(pid)
            case protocol.Sampled(sample=sample):
                self.samples.append(sample)
            case protocol.Done(facts=facts):
                self.facts.update(facts)
                self.is_done = True
            case protocol.Failed(failure=failure):
                self.failure = failure

    def _let_go(self, pid: int) -> None:
        if self.attach is not None:
            self.attached.enter_context(self.attach(pid))
            _write(self._worker, GO_LINE)


def _not_prepared(spec: TrialSpec, process: int, error: InputError | OSError) -> Trial:
    if isinstance(error, InputError):
        message, remedy = error.message, error.remedy
    else:
        message = f"cannot prepare the start: {error}"
        remedy = "check the model's file and the folder for temporary files"
    failure = Failure("error", message, remedy, arm=spec.arm, labels=dict(spec.labels))
    return Trial(spec, process, (), 0.0, failure=failure)


def _not_started(spec: TrialSpec, process: int, error: OSError) -> Trial:
    failure = Failure(
        "error",
        f"cannot start {error.filename or spec.python}: {error.strerror}",
        "give an existing interpreter with --python",
        arm=spec.arm,
        labels=dict(spec.labels),
    )
    return Trial(spec, process, (), 0.0, failure=failure)


def _prepare_page_cache(spec: TrialSpec, observe: Observe) -> tuple[TrialSpec, dict[str, Fact]]:
    """Put the files into the state asked for; relabel the trial where that is not proven."""
    if spec.page_cache is None or not spec.files:
        return spec, {}
    doing = "evicting the file from" if spec.page_cache == "cold" else "reading the file into"
    observe(StageEntered(f"{doing} the page cache"))
    certificate = page_cache.prepare(spec.files, spec.page_cache)
    facts: dict[str, Fact] = {
        "resident_before": certificate.resident_before,
        f"{spec.page_cache}_proven": certificate.proven,
        "cache_how": certificate.how,
    }
    if not certificate.proven:
        spec = replace(spec, labels={**spec.labels, "cache": UNCERTIFIED})
    return spec, facts


def _spawn(spec: TrialSpec, stderr: IO[bytes], *, is_watched: bool) -> tuple[subprocess.Popen[bytes], int]:
    benchmark = importlib.import_module(module_name(spec.benchmark))
    # Who watches begins at the word to go, so what is imported first has to wait for it as well.
    first_import: str | None = None if is_watched else spec.workload.get("first_import", benchmark.FIRST_IMPORT)
    command = [spec.python or sys.executable, str(LAUNCHER), *([first_import] if first_import else [])]
    spawned_ns = now_ns()
    worker = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=spec.cwd,
        env={**QUIET_DEATH, **os.environ, **spec.env},
        start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends the worker
    )
    return worker, spawned_ns


def _hear_out(worker: subprocess.Popen[bytes], spec: TrialSpec, spawned_ns: int, report: _Report) -> bool:
    """Send the request and take in what the worker says until it has ended; True when it was out of time."""
    watch: protocol.Watch = "outside" if report.attach else "inside" if spec.watch_inside else None
    request = protocol.Request(spec.benchmark, spec.workload, spec.samples, spec.warmups, spawned_ns, watch)
    # Without a profiler to attach, the word to go is there before it is asked for: no round trip within the start.
    _write(worker, protocol.encode_request(request) + (b"" if report.attach else GO_LINE))
    deadline_ns = now_ns() + int(spec.timeout_s * 1e9)
    with report.attached:
        for line in _lines(worker, deadline_ns):
            if line is None:
                return True
            try:
                report.receive(protocol.decode(line))
            except ValueError as error:
                report.failure = Failure("crash", f"the worker broke the protocol: {error}")
            if report.is_done or report.failure:
                return False  # not at the pipe's end: a process that the code under test forked may hold it open
    return False


def _lines(worker: subprocess.Popen[bytes], deadline_ns: int) -> Iterator[bytes | None]:
    """Each line of the worker's until it closes its end; None once when the time is over."""
    assert worker.stdout is not None
    descriptor = worker.stdout.fileno()
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            left_s = seconds_between(now_ns(), deadline_ns)
            if left_s <= 0 or not selector.select(left_s):
                yield None
                return
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                return
            *complete, pending = (pending + chunk).split(b"\n")
            yield from complete


def _write(worker: subprocess.Popen[bytes], content: bytes) -> None:
    assert worker.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # a worker that died at once is explained by its exit
        worker.stdin.write(content)
        worker.stdin.flush()


def _end(worker: subprocess.Popen[bytes]) -> None:
    """Leave no worker: closing stdin ends a healthy one, the group is killed if that does not."""
    for stream in (worker.stdin, worker.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.wait(GRACE_S if worker.poll() is None else 0)
    # Also where it has ended: what the code under test left running is of its group.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):  # one that hangs in the kernel, as on a dead network disk
        worker.wait(GRACE_S)


def _tail(stderr: IO[bytes]) -> str:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - STDERR_TAIL_BYTES))
    return stderr.read().decode(errors="replace")
