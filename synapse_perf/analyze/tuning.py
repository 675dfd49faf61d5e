"""Which index serves best within a budget, by how much, and is what there is good enough already?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from synapse_perf.model import Finding, Gain, Json
from synapse_perf.units import format_bytes, format_duration, format_percent

CURRENT = "current"
Advice = Literal["keep", "change", "none", "unfinished"]
Bound = Literal["compute", "memory", "faults", "Python"]


@dataclass(frozen=True, slots=True)
class Budget:
    """What an index has to keep to; a latency is the p95 of single searches in an open index."""

    recall: float = 0.95
    latency_s: float | None = None
    memory_bytes: int | None = None

    def __str__(self) -> str:
        parts = [f"recall {self.recall:g}"]
        parts += [f"p95 {format_duration(self.latency_s)}"] if self.latency_s is not None else []
        parts += [format_bytes(self.memory_bytes)] if self.memory_bytes is not None else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Option:
    """A family of indexes in one size (0: it has none).

    `growth` is the power of the number of vectors that its search follows as long as it skips most of them.
    """

    family: str
    size: float
    growth: float


@dataclass(frozen=True, slots=True)
class Operating:
    """An index at one setting of its search parameters, as measured alone in one process."""

    parameters: str
    recall: float
    recall_low: float
    recall_high: float
    recall_queries: int
    p50_s: float
    p95_s: float
    p95_low_s: float
    p95_high_s: float
    suffices: bool


@dataclass(frozen=True, slots=True)
class Floors:
    """What a query of an index cannot be faster than, and which of it takes how much of its median time."""

    scanned_bytes: float
    read_bandwidth: float  # bytes a second, one thread, a working set as large as the index
    call_s: float  # from Python into FAISS and back
    faults_per_query: float
    fault_s: float

    @property
    def read_s(self) -> float:
        return self.scanned_bytes / self.read_bandwidth

    def shares(self, p50_s: float) -> dict[Bound, float]:
        """What reading, faults and the call explain of a median query; computing is what they leave."""
        explained: dict[Bound, float] = {
            "memory": self.read_s / p50_s,
            "faults": self.faults_per_query * self.fault_s / p50_s,
            "Python": self.call_s / p50_s,
        }
        return {"compute": max(0.0, 1 - sum(explained.values())), **explained}

    def bound(self, p50_s: float) -> Bound:
        shares = self.shares(p50_s)
        return max(shares, key=lambda name: shares[name])


@dataclass(frozen=True, slots=True)
class Measured:
    """A candidate as it was measured on so many vectors; its best setting first."""

    family: str
    size: float
    index: str  # the FAISS factory text, or "current"
    rows: int
    file: str
    file_bytes: int
    build_s: float | None
    points: tuple[Operating, ...]
    compared_share: float  # of the vectors, at the best setting
    floors: Floors | None

    @property
    def best(self) -> Operating:
        return self.points[0]

    @property
    def name(self) -> str:
        return f"{self.index} {self.best.parameters}".strip()


@dataclass(frozen=True, slots=True)
class Spread:
    """A value with its interval; without one where there were too few processes."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a candidate at its best setting, what it takes, and why it was dropped, if it was."""

    family: str
    index: str
    parameters: str
    recall: float
    recall_low: float
    recall_high: float
    recall_queries: int  # fewer than there are where its distance from what is wanted was clear
    p50_s: float
    p95: Spread
    build_s: float | None
    file_bytes: int
    memory_bytes: float | None
    cold: Spread | None  # open and first query, out of a cold file
    open_mode: str
    on_front: bool
    dropped: str


@dataclass(frozen=True, slots=True)
class PlotPoint:
    """For the plot of recall over latency."""

    family: str
    index: str
    parameters: str
    recall: float
    p95_s: float
    on_front: bool


@dataclass(frozen=True, slots=True)
class Capacity:
    """At how many vectors the latency budget breaks; None where the measurements cannot tell, and why."""

    vectors: float | None
    low: float | None
    high: float | None
    reason: str
    sizes: tuple[tuple[int, float], ...]  # vectors and p95


@dataclass(frozen=True, slots=True)
class Tuning:
    """The outcome: what to use, how sure that is, and everything that was measured on the way."""

    budget: Budget
    metric: str
    k: int
    count: int
    dimension: int
    queries: int
    is_shown: bool  # recall by the low end of its interval, not by its estimate, for which there were enough queries
    advice: Advice
    reason: str
    winner: Row | None
    runner_up: Row | None
    difference: Spread | None  # of their p95: how much slower the runner-up is
    current: Row | None
    gain: Spread | None  # of the current index's p95 over the winner's
    rows: tuple[Row, ...]
    points: tuple[PlotPoint, ...]
    floors: Floors | None  # of the winner
    bound: Bound | None
    capacity: Capacity | None
    code: str
    left_out: tuple[tuple[str, str], ...]  # family and reason
    confidence: float
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        return asdict(self)

    def finding(self) -> Finding:
        """What follows from it, in the form of every other finding."""
        gain, severity = None, "info"
        if self.advice == "change" and self.gain is not None:
            gain = Gain(self.gain.value, self.gain.low, self.gain.high, "s", measured=True)
            severity = "medium"
        if self.advice == "change" and self.current is not None and self.current.dropped:
            severity = "high"
        return Finding(
            "index-choice",
            severity,  # type: ignore[arg-type]
            self.reason,
            self._evidence(),
            gain,
            self.code if self.advice == "change" else "",
            "run bench-cgrag --tune again with the new index" if self.advice == "change" else "",
            self._alert(),
        )

    def _evidence(self) -> Mapping[str, Json]:
        chosen = self.winner
        evidence: dict[str, Json] = {"budget": asdict(self.budget), "vectors": self.count, "queries": self.queries}
        if chosen is not None:
            evidence |= {"index": chosen.index, "parameters": chosen.parameters, "recall": chosen.recall}
            evidence |= {"p95_s": asdict(chosen.p95), "cold_s": chosen.cold and asdict(chosen.cold)}
        if self.floors is not None and chosen is not None:
            evidence |= {"bound_by": self.bound, "shares": self.floors.shares(chosen.p50_s)}
            evidence["read_floor_s"] = self.floors.read_s
        if self.capacity is not None:
            evidence["breaks_at"] = asdict(self.capacity)
        return evidence

    def _alert(self) -> str:
        if self.winner is None or self.budget.latency_s is None:
            return ""
        alert = f"p95 of the search above {format_duration(self.budget.latency_s)}"
        if self.capacity is not None and self.capacity.low is not None:
            alert += f", or more than {format_count(self.capacity.low)} vectors"
        return alert


def format_count(number: float) -> str:
    """A number of vectors: 12 500."""
    return f"{number:,.0f}".replace(",", " ")


def describe_recall(row: Row) -> str:
    """A recall with its interval, as sentences print it."""
    return f"{format_percent(row.recall)} ({format_percent(row.recall_low)} to {format_percent(row.recall_high)})"
