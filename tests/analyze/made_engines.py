"""Metrics of an engine as its workers give them, out of a few numbers."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.model import Fact, Labels, Metric
from tests.analyze.made_latencies import metric

FAST: Labels = {"tier": "fast", "complexity": "simple"}


def healths(idle: Sequence[float], busy: Sequence[float], *, late_s: float = 0.001, processes: int = 6) -> list[Metric]:
    """The waits of each process, and what its sender was late by."""
    late: list[list[Fact]] = [[late_s, *[None] * (len(busy) - 1)]] * processes
    state = {"variant": "service"}
    return [
        metric("health_latency", {**state, "state": "idle"}, [idle] * processes, arm="service"),
        metric(
            "health_latency",
            {**state, "state": "during-query"},
            [busy] * processes,
            arm="service",
            facts={"latest_sender_s": late},
        ),
    ]


def connections(kept_s: float, new_s: float) -> list[Metric]:
    pairs = {"kept": kept_s, "new": new_s}
    return [
        metric("health_latency", {"variant": "service", "connection": name}, [[value] * 3] * 6, arm="service")
        for name, value in pairs.items()
    ]


def connecting(connect_s: float | None, query_s: float, *, processes: int = 6) -> list[Metric]:
    """Queries each of which opens a connection, or none does."""
    facts = {"connect_s": [[connect_s] * 3] * processes}
    return [metric("query_latency", FAST, [[query_s] * 3] * processes, arm="simple", facts=facts)]


def simple(*, lost: int = 0) -> list[Metric]:
    """Queries of 1 s, of which the engine owns up to 0.8."""
    facts: dict[str, list[list[Fact]]] = {
        "lost": [[process == 0 and place < lost for place in range(3)] for process in range(6)],
        "artifacts": [[13] * 3] * 6,
    }
    latency = metric("query_latency", FAST, [[1.0] * 3] * 6, arm="simple", facts=facts)
    return [latency, *_phases(FAST, "simple", {"engine": 0.8, "overhead": 0.2})]


def staged() -> list[Metric]:
    labels = {"tier": "two-stage"}
    parts = {"engine": 3.0, "engine.stage1": 1.0, "engine.stage2": 2.0, "overhead": 0.5}
    return [metric("query_latency", labels, [[3.5] * 3] * 6, arm="two-stage"), *_phases(labels, "two-stage", parts)]


def cached() -> list[Metric]:
    return [metric("query_latency", {**FAST, "state": "cached", "variant": "cached"}, [[0.01]] * 6, arm="simple")]


def polled() -> list[Metric]:
    return [metric("query_latency", {"mode": "simple", "variant": "health-polled"}, [[1.0]] * 6, arm="service")]


def _phases(labels: Labels, arm: str, parts: dict[str, float]) -> list[Metric]:
    return [
        metric("phase_time", {**labels, "phase": name}, [[seconds] * 3] * 6, arm=arm) for name, seconds in parts.items()
    ]
