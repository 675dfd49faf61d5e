"""Which cases did ws-latency measure, and what belongs to each: messages, pings and polls beside them, connecting?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from synapse_perf.analyze.summary import quantile
from synapse_perf.analyze.targets import VARIANT
from synapse_perf.model import Metric

LATENCY, CONNECT, POLL = "websocket_latency", "phase_time", "polled_latency"
LOAD = "load"
IDLE, POLLED = "idle", "polled"


class WsCase(NamedTuple):
    """Messages of one mode over so many connections, idle or while a URL is polled ('' where none ever is)."""

    latency: Metric
    ping: Metric | None
    connect: Metric | None
    polls: Metric | None = None  # of the URL that is polled

    @property
    def connections(self) -> int:
        return int(self.latency.labels.get("connections", "1"))

    @property
    def load(self) -> str:
        return self.latency.labels.get(LOAD, "")

    @property
    def name(self) -> str:
        count = f"{self.connections} connection{'s' if self.connections > 1 else ''}"
        return f"{count}, {self.load}" if self.load else count

    @property
    def lost(self) -> int:
        return sum(value is True for trial in self.latency.trials for value in trial.facts.get("is_lost", ()))


def cases_of(metrics: Sequence[Metric]) -> list[WsCase]:
    """In the order in which they were asked for: few connections first, idle before polled."""
    found = []
    for metric in metrics:
        if metric.name == LATENCY and not metric.labels.get(VARIANT):
            ping = next((one for one in metrics if one.labels.get(VARIANT) and _shares_case(one, metric)), None)
            connect, polls = (
                next((one for one in metrics if one.name == name and _shares_case(one, metric)), None)
                for name in (CONNECT, POLL)
            )
            found.append(WsCase(metric, ping, connect, polls))
    return sorted(found, key=lambda case: (case.connections, case.load == POLLED))


def pooled(metric: Metric) -> list[float]:
    """Every sample, over all processes."""
    return [value for trial in metric.trials for value in trial.samples]


def percentile(metric: Metric, share: float) -> float:
    """Of all samples together, however few they are."""
    return quantile(pooled(metric), share)


def _shares_case(one: Metric, other: Metric) -> bool:
    return all(one.labels.get(name) == other.labels.get(name) for name in ("connections", LOAD))
