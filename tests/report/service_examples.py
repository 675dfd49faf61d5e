"""Results of service-startup as the command makes them, for the golden texts; no number here was measured."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.analyze.compose_floor import Floor, Wait
from synapse_perf.analyze.health_check_findings import JudgedService
from synapse_perf.analyze.service_findings import FloorCase, service_findings
from synapse_perf.analyze.summary import summarize
from synapse_perf.model import Check, Fact, Failure, Json, Metric, Result, Trial, TrialRecord, TrialSpec
from tests.report.examples import ENVIRONMENT

SPREAD = (0.97, 0.99, 0.995, 1.005, 1.02, 1.06)
EMPTY = {"started": "container", "variant": "an empty container"}
CONDITIONS = [
    "new: the containers, networks and volumes of the file, but for external ones",
    "as they were, so mostly warm: the files of the image in the page cache",
    "warm: the engine and its own programs",
]
IMPORTS: Json = {
    "total_s": 1.21,
    "packages": {"torch": 0.71, "sklearn": 0.22, "fastapi": 0.11},
    "modules": 1834,
    "interpreters": 1,
    "start_s": 27.9,
}


def metric(name: str, seconds: float, labels: dict[str, str], count: int = 6, **facts: Fact) -> Metric:
    samples = [round(seconds * factor, 6) for factor in SPREAD[:count]]
    records = tuple(
        TrialRecord(labels["started"], number, (sample,), {fact: (value,) for fact, value in facts.items()})
        for number, sample in enumerate(samples, 1)
    )
    return Metric(name, labels, "s", "lower", records, summarize([[sample] for sample in samples]))


def start(started: str, phases: dict[str, float], **labels: str) -> tuple[Metric, ...]:
    every = {"started": started, **labels}
    total = metric("service_startup_time", sum(phases.values()), every, steady_s=0.0124)
    return total, *(metric("phase_time", seconds, {**every, "phase": phase}) for phase, seconds in phases.items())


def result(*metrics: Metric, started: str, check: Check, failures: tuple[Failure, ...] = ()) -> Result:
    return Result(
        benchmark="service-startup",
        subject="real",
        profile="found",
        started_at="2026-11-23T10:15:30.123Z",
        duration_s=201.4,
        workload={
            "started": started,
            "name": "docker-compose.yml api" if started == "compose" else "api:1",
            "url": "http://127.0.0.1:8000/health",
            "condition": ["components.db", "ready"],
            "engine": "20.10.24",
            "conditions": CONDITIONS,
            "digest": "9b89",
        },
        plan={"trials": 6, "max_time_s": 600.0, "confidence": 0.95, "seed": 1},
        environment=ENVIRONMENT,
        metrics=metrics,
        checks=(check,),
        comparisons=(),
        warnings=(),
        failures=failures,
        verdict=check.status,
        findings=(),
    )


def missed() -> Result:
    """A compose file whose health checks hold the start back, and a service that imports much."""
    metrics = start("compose", {"create": 26.4, "start": 0.21, "first_byte": 1.42, "ready": 0.12})
    moments = {"db": (0.41, 0.62, 15.7), "cache": (15.8, 16.0, 26.1), "api": (26.4, 26.6, None)}
    moved = [
        metric("moment_time", at, {"started": "compose", "service": name, "moment": moment})
        for name, stamps in moments.items()
        for moment, at in zip(("created", "started", "healthy"), stamps, strict=True)
        if at is not None
    ]
    empty = metric("service_startup_time", 0.126, EMPTY, 3)
    floor = Floor("api", 25.0, (Wait("db", 15.0), Wait("cache", 10.0)))
    observed = metrics[0].summary.median
    check = Check(
        "docker-startup", metrics[0].key, "median", 5.0, "s", observed, "fail", "median over the limit: 6 of 6"
    )
    made = result(empty, *metrics, *moved, started="compose", check=check)
    path = [{"service": wait.service, "first_probe_s": wait.first_probe_s} for wait in floor.path]
    told = {"service": "api", "start_s": 25.0, "path": path, "edited_s": 0.5}
    timed = Trial(TrialSpec("service_startup", "imports timed", {}, {}), 1, (), 30.0, facts={"imports": IMPORTS})
    case = FloorCase(floor, ("db", "cache"), Floor("api", 0.5, ()), 20)
    return replace(
        made,
        workload={**made.workload, "floor": told},
        findings=service_findings(
            made.metrics, [timed], 5.0, case, JudgedService("api", is_waited_for=False, engine=20)
        ),
    )


def met() -> Result:
    """An image, cold and warm."""
    phases = {"create": 0.014, "start": 0.125, "first_byte": 0.401, "ready": 0.604}
    cold = start("container", {name: seconds * 1.2 for name, seconds in phases.items()}, cache="cold")
    warm = start("container", phases, cache="warm")
    observed = cold[0].summary.median
    check = Check("docker-startup", cold[0].key, "median", 5.0, "s", observed, "pass", "median under the limit: 0 of 6")
    made = result(metric("service_startup_time", 0.126, EMPTY, 3), *cold, *warm, started="container", check=check)
    cold_files = (
        "cold and warm in turn: the files of the image (1204 files, 212 MiB) in the page cache, checked before each"
    )
    conditions = ["new: the container, its writable layer and its network", cold_files, CONDITIONS[-1]]
    return replace(
        made,
        workload={**made.workload, "conditions": conditions},
        findings=service_findings(made.metrics, [], 5.0),
    )


def failed() -> Result:
    """The container ended at once."""
    told = "the container ended with status 3 before the service was ready"
    labels = {"started": "container"}
    failure = Failure("error", told, "see what it said last", "no database at db:5432", "container", labels)
    check = Check("docker-startup", "", "median", 5.0, "s", None, "not-measured", "nothing was measured that it judges")
    return result(started="container", check=check, failures=(failure,))


EXAMPLES = {"service_missed": missed, "service_met": met, "service_failed": failed}
