"""How long from the order to start a service until its health URL says that it is ready, seen from outside?

One start for each process, and at its end everything that it started is gone. The clock begins right before the order;
what the phases leave is nothing, as each ends where the next begins.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, FailureKind, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.outside.started_service import StartedService

FIRST_IMPORT = None
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("service_startup_time", "s", "lower", "the order to start until the health URL is ready"),
        MetricDefinition("phase_time", "s", "lower", "time of one part of a start"),
    )
}


def measure(context: Context) -> Iterator[Sample]:
    """One sample per start."""
    from synapse_perf.outside.model_server import is_port_taken

    url: str = context.workload["url"]
    while True:
        if is_port_taken(url):
            raise BenchmarkFailed("error", f"something already listens at {url}", "stop it, or choose another port")
        yield _start_once(context, url)


def _start_once(context: Context, url: str) -> Sample:
    from synapse_perf.outside.health_poller import Condition, NotReady, wait_until_ready
    from synapse_perf.outside.started_service import ServiceEnded

    workload = context.workload
    condition = Condition(*workload["condition"]) if workload.get("condition") else None
    service = _service(context)
    context.stage("starting the service")
    ordered_ns = time.perf_counter_ns()
    try:
        stamps = service.start()
        if service.pid is not None:
            context.process_started(service.pid)
        context.stage("waiting until it is ready")
        ready = wait_until_ready(
            url, workload["patience_s"], condition, service.check, takes_html=workload.get("takes_html", False)
        )
    except OSError as error:
        told = f"cannot start {workload['words'][0]}: {error.strerror}"
        raise BenchmarkFailed("error", told, "give its full path") from error
    except ServiceEnded as error:
        raise BenchmarkFailed("error", str(error), "see what it said last", error.last_lines) from error
    except NotReady as error:
        kind: FailureKind = "time-out" if error.is_timeout else "error"
        raise BenchmarkFailed(kind, str(error), error.remedy, service.last_lines()) from error
    finally:
        context.stage("removing what was started")
        service.remove()
        if service.pid is not None:
            context.process_ended(service.pid)
    moments = {**stamps, "first_byte": ready.first_byte_ns, "ready": ready.ready_ns}
    values = [Measurement("service_startup_time", (ready.ready_ns - ordered_ns) * 1e-9)]
    began_ns = ordered_ns
    for phase, ended_ns in moments.items():
        # A service may answer before the order to start it has returned.
        values.append(Measurement("phase_time", max(ended_ns - began_ns, 0) * 1e-9, {"phase": phase}))
        began_ns = max(ended_ns, began_ns)
    facts: dict[str, Fact] = {"questions": ready.questions, "steady_s": (ready.steady_ns - ready.ready_ns) * 1e-9}
    return Sample(tuple(values), facts)


def _service(context: Context) -> StartedService:
    workload = context.workload
    if workload["kind"] == "command":
        from synapse_perf.outside.started_command import StartedCommand

        command = StartedCommand(workload["words"], workload["env"])
        context.at_end(command.remove)
        return command
    from synapse_perf.outside.started_container import ContainerEngineMissing, StartedContainer, connect

    try:
        client = connect()
    except ContainerEngineMissing as error:
        raise BenchmarkFailed("error", str(error), error.remedy) from error
    ports = {inside: (host, int(port)) for inside, (host, port) in workload["ports"].items()}
    container = StartedContainer(
        client,
        workload["image"],
        command=workload["words"] or None,
        ports=ports,
        env=workload["env"],
        network=workload["network"],
        run=workload["run"],
    )
    context.at_end(container.remove)
    return container
