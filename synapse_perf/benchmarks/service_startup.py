"""How long from the order to start a service until its health URL says that it is ready, seen from outside?

One start for each process, and at its end everything that it started is gone. The clock begins right before the order;
what the phases leave is nothing, as each ends where the next begins.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, FailureKind, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.outside.health_poller import Readiness
    from synapse_perf.outside.started_service import StartedService

FIRST_IMPORT = None
START_S = 10.0  # to be waited for by who ends everything while it is started
LAST_LINE_AT_MOST = 120  # letters
WAITING = "waiting until it is ready"
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("service_startup_time", "s", "lower", "the order to start until the health URL is ready"),
        MetricDefinition("phase_time", "s", "lower", "time of one part of a start"),
        MetricDefinition("moment_time", "s", "lower", "the order to start until one service of several got there"),
    )
}


def measure(context: Context) -> Iterator[Sample]:
    """One sample per start."""
    start = _start_empty if context.workload["kind"] == "empty" else _start_once
    while True:
        try:
            sample = start(context)
        except OSError as error:
            raise _not_started(context.workload, error) from error
        if sample is None:
            return
        yield sample


def _start_once(context: Context) -> Sample | None:
    from synapse_perf.outside.health_poller import Condition, NotReady, is_taken, wait_until_ready
    from synapse_perf.outside.started_service import ServiceEnded

    workload = context.workload
    url: str = workload["url"]
    if is_taken(url):
        raise BenchmarkFailed("error", f"something already listens at {url}", "stop it, or choose another port")
    condition = Condition(*workload["condition"]) if workload.get("condition") else None
    service = _service(context)
    starting = _removed_at_end(context, service)
    context.stage("starting the service")
    ordered_ns = time.perf_counter_ns()
    try:
        with starting:
            service.start()
            if service.pid is not None:
                context.process_started(service.pid)
        context.stage(WAITING)
        ready = wait_until_ready(
            url,
            workload["patience_s"],
            condition,
            service.check,
            takes_html=workload.get("takes_html", False),
            note=lambda said: context.stage(f"{WAITING}: {said}"),
        )
        checks = service.health_checks()
        if checks:
            context.facts["health_checks"] = dict(checks)
        if workload.get("times_imports"):
            _note_imports(context, service, (ready.ready_ns - ordered_ns) * 1e-9)
        return _sample(service, ordered_ns, ready)
    except ServiceEnded as error:
        raise BenchmarkFailed("error", str(error), _said_last(error.last_lines), error.last_lines) from error
    except NotReady as error:
        kind: FailureKind = "time-out" if error.is_timeout else "error"
        raise BenchmarkFailed(kind, str(error), error.remedy, service.last_lines()) from error
    finally:
        with contextlib.suppress(OSError):  # an engine that is gone; the parent tells what it may have left
            service.remove()
        if service.pid is not None:
            context.process_ended(service.pid)


def _said_last(lines: str) -> str:
    """The last of them, as the reason mostly stands there; all of them are in the report."""
    last = next((line.strip() for line in reversed(lines.splitlines()) if line.strip()), "")
    if not last:
        return "start it by hand to see why"
    return f"it said last: {last[:LAST_LINE_AT_MOST]}{'...' if len(last) > LAST_LINE_AT_MOST else ''}"


def _sample(service: StartedService, ordered_ns: int, ready: Readiness) -> Sample:
    moments = {**service.phases(), "first_byte": ready.first_byte_ns, "ready": ready.ready_ns}
    values = [Measurement("service_startup_time", (ready.ready_ns - ordered_ns) * 1e-9)]
    began_ns = ordered_ns
    for phase, ended_ns in moments.items():
        # A service may answer before the order to start it has returned; all of it is over when it is ready.
        ended_ns = min(max(ended_ns, began_ns), ready.ready_ns)
        values.append(Measurement("phase_time", (ended_ns - began_ns) * 1e-9, {"phase": phase}))
        began_ns = ended_ns
    for service_name, moment, at_ns in service.parts():
        labels = {"service": service_name, "moment": moment}
        values.append(Measurement("moment_time", max(at_ns - ordered_ns, 0) * 1e-9, labels))
    facts: dict[str, Fact] = {"questions": ready.questions, "steady_s": (ready.steady_ns - ready.ready_ns) * 1e-9}
    return Sample(tuple(values), facts)


def _start_empty(context: Context) -> Sample | None:
    """What the engine takes for a container in which nothing happens; None where the image cannot have one."""
    from synapse_perf.outside.started_container import EMPTY_COMMANDS, StartedContainer
    from synapse_perf.outside.started_service import ServiceEnded

    workload, client = context.workload, _client()
    for entrypoint, is_init in EMPTY_COMMANDS:
        container = StartedContainer(
            client,
            workload["image"],
            run=workload["run"],
            entrypoint=entrypoint,
            is_init=is_init,
            network=workload["network"],
        )
        starting = _removed_at_end(context, container)
        context.stage("starting it")
        ordered_ns = time.perf_counter_ns()
        try:
            with starting:
                container.start()
        except ServiceEnded as error:
            context.facts["no_empty_container"] = str(error)
            continue
        finally:
            container.remove()
        context.facts.pop("no_empty_container", None)
        return _empty_sample(ordered_ns, container.phases())
    return None


def _empty_sample(ordered_ns: int, phases: dict[str, int]) -> Sample:
    values = [Measurement("service_startup_time", (phases["start"] - ordered_ns) * 1e-9)]
    values.append(Measurement("phase_time", (phases["create"] - ordered_ns) * 1e-9, {"phase": "create"}))
    values.append(Measurement("phase_time", (phases["start"] - phases["create"]) * 1e-9, {"phase": "start"}))
    return Sample(tuple(values), {})


def _note_imports(context: Context, service: StartedService, start_s: float) -> None:
    from synapse_perf.outside.import_times import read_import_times

    times = read_import_times(service.output())
    if times is not None:
        context.facts["imports"] = {**times._asdict(), "start_s": start_s}


def _service(context: Context) -> StartedService:
    from synapse_perf.outside.import_times import VARIABLE

    workload = context.workload
    env: dict[str, str] = {**workload["env"], **({VARIABLE: "1"} if workload.get("times_imports") else {})}
    service: StartedService
    if workload["kind"] == "command":
        from synapse_perf.outside.started_command import StartedCommand

        service = StartedCommand(workload["words"], env)
    elif workload["kind"] == "compose":
        from synapse_perf.outside.started_compose import StartedCompose

        names = {name: workload[name] for name in ("run", "service", "judged")}
        service = StartedCompose(_client(), workload["tool"], workload["text"], env=workload["env"], **names)
    else:
        from synapse_perf.outside.started_container import StartedContainer

        ports = {inside: (host, int(port)) for inside, (host, port) in workload["ports"].items()}
        names = {name: workload[name] for name in ("run", "network")}
        service = StartedContainer(_client(), workload["image"], ports=ports, env=env, **names)
    return service


def _removed_at_end(context: Context, service: StartedService) -> threading.Lock:
    """To be held while it is started: whoever ends everything meanwhile waits until there is something to remove."""
    starting = threading.Lock()

    def remove() -> None:
        is_free = starting.acquire(timeout=START_S)
        with contextlib.suppress(OSError):
            service.remove()
        if is_free:
            starting.release()

    context.at_end(remove)
    return starting


def _client() -> Any:
    from synapse_perf.outside.container_engine import ContainerEngineMissing, connect

    try:
        return connect()
    except ContainerEngineMissing as error:
        raise BenchmarkFailed("error", str(error), error.remedy) from error


def _not_started(workload: Any, error: OSError) -> BenchmarkFailed:
    if error.errno is None:  # of the library, which has what the engine says, or wraps that it is gone
        said = getattr(error, "explanation", None)
        cause = f"the container engine says: {said}" if said else "the container engine answers no more"
        return BenchmarkFailed("error", cause, "see its log: journalctl -u docker")
    cause = f"cannot start {_program(workload)}: {error.strerror or error}"
    return BenchmarkFailed("error", cause, "give its full path")


def _program(workload: Any) -> str:
    return str((workload.get("words") or workload.get("tool") or [workload.get("image")])[0])
