"""The values that every layer shares, in base units (s, B, 1, 1/s); see the contract in README.md for the result file.

Standard library only. The part that a worker needs is in samples.py, and had from here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from synapse_perf.samples import Better as Better
from synapse_perf.samples import Fact as Fact
from synapse_perf.samples import FailureKind as FailureKind
from synapse_perf.samples import Json as Json
from synapse_perf.samples import Labels as Labels
from synapse_perf.samples import Measurement as Measurement
from synapse_perf.samples import MetricDefinition as MetricDefinition
from synapse_perf.samples import Sample as Sample
from synapse_perf.samples import metric_key as metric_key

Subject = Literal["real", "sample"]
Statistic = Literal["median", "p90", "p95", "p99"]
CheckStatus = Literal["pass", "fail", "inconclusive", "not-measured", "not-comparable"]
ComparisonStatus = Literal["regressed", "improved", "unchanged", "inconclusive", "not-comparable", "missing"]
LeakStatus = Literal["leak", "clean", "retained", "inconclusive"]
Severity = Literal["high", "medium", "low", "info"]
CacheState = Literal["cold", "warm"]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial gave no sample: what happened, where, and what to do about it."""

    kind: FailureKind
    message: str
    remedy: str = ""
    detail: str = ""
    arm: str = ""
    labels: Labels = field(default_factory=dict)


# --- what the parent asks for and gets back --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """One worker process to start: which benchmark, on what, in which environment."""

    benchmark: str  # stem of a module in synapse_perf.benchmarks, or a dotted path
    arm: str  # the variant's name, e.g. "mmap"
    labels: Labels  # added to each of its measurements
    workload: Mapping[str, Json]  # handed to the benchmark's measure()
    samples: int = 1
    warmups: int = 0
    timeout_s: float = 600.0
    page_cache: CacheState | None = None  # the state that `files` are put into right before the start
    files: tuple[str, ...] = ()
    python: str | None = None  # None: the tool's own interpreter
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    watch_inside: bool = False  # sample the worker's own stacks; such a trial is never judged


@dataclass(frozen=True, slots=True)
class Trial:
    """One finished worker process."""

    spec: TrialSpec
    process: int  # counts from 1 within its arm
    samples: tuple[Sample, ...]
    wall_s: float  # spawn to exit, for planning only
    facts: Mapping[str, Json] = field(default_factory=dict)  # about the process as a whole
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    contention: Mapping[str, Fact] = field(default_factory=dict)  # what others took meanwhile


Policy: TypeAlias = Callable[[tuple[Trial, ...]], TrialSpec | None]


# --- the result file -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided confidence interval of one statistic, in the metric's unit."""

    statistic: Statistic
    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Statistics over all trials of a metric; one that the count cannot support is None."""

    count: int
    processes: int
    median: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """The samples of one process, with one fact per sample and name; one alone is true of all of them."""

    arm: str
    process: int
    samples: tuple[float, ...]
    facts: Mapping[str, tuple[Fact, ...]] = field(default_factory=dict)
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric under one set of labels."""

    name: str
    labels: Labels
    unit: str
    better: Better
    trials: tuple[TrialRecord, ...]
    summary: Summary

    @property
    def key(self) -> str:
        return metric_key(self.name, self.labels)


@dataclass(frozen=True, slots=True)
class Check:
    """One target against one metric."""

    target: str
    metric: str
    statistic: Statistic
    limit: float
    unit: str
    observed: float | None
    status: CheckStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric against its baseline: the ratio of medians, current over baseline, with its interval."""

    metric: str
    status: ComparisonStatus
    baseline: float | None
    current: float | None
    unit: str
    ratio: float | None
    low: float | None
    high: float | None
    reason: str

    @property
    def is_new(self) -> bool:
        """Measured now and not in the baseline, which is no fault of what is judged."""
        return self.status == "missing" and self.baseline is None and self.current is not None


@dataclass(frozen=True, slots=True)
class Leak:
    """What one probe of a leak hunt tells: does what it reads grow with each iteration, and by how much?"""

    metric: str
    status: LeakStatus
    growth: float | None  # for one iteration
    low: float | None
    high: float | None
    confidence: float
    unit: str
    smallest_seen: float | None  # the smallest leak for one iteration that this run would have told
    iterations: int
    full_after: float | None  # iterations until the memory is full at that rate
    reason: str


@dataclass(frozen=True, slots=True)
class Gain:
    """What a change would give; `measured` tells a measurement from an estimate."""

    value: float
    low: float | None
    high: float | None
    unit: str
    measured: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause with its evidence, the change that removes it, and how to see and watch that it did."""

    id: str
    severity: Severity
    cause: str
    evidence: Mapping[str, Json]
    gain: Gain | None
    change: str
    check: str
    alert: str


@dataclass(frozen=True, slots=True)
class Environment:
    """Where it ran: what decides speed, what is compared with a label, and what only wobbles."""

    hardware_class: Mapping[str, Json]
    software_class: Mapping[str, Json]
    volatile: Mapping[str, Json]
    git: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one measuring command, whole: reports, checks and baselines are made from this alone."""

    benchmark: str
    subject: Subject
    profile: str
    started_at: str  # RFC 3339, UTC
    duration_s: float
    workload: Mapping[str, Json]
    plan: Mapping[str, Json]
    environment: Environment
    metrics: tuple[Metric, ...]
    checks: tuple[Check, ...]
    comparisons: tuple[Comparison, ...]
    warnings: tuple[str, ...]
    failures: tuple[Failure, ...]
    verdict: CheckStatus
    findings: tuple[Finding, ...]
    leaks: tuple[Leak, ...] = ()  # of a leak hunt alone
    kind: Literal["result"] = "result"
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Suite:
    """What `run` writes: the results of several commands under one verdict."""

    results: tuple[Result, ...]
    checks: tuple[Check, ...]
    verdict: CheckStatus
    kind: Literal["suite"] = "suite"
    schema_version: int = SCHEMA_VERSION
