"""What does a run of another tool become? A result with its samples, and what little it says of where it ran."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from synapse_perf.field_errors import short_text
from synapse_perf.model import Better, Environment, Json, Labels, Metric, Result, Summary, TrialRecord, metric_key

SAMPLES_AT_MOST = 10_000  # of one process, as in a run of our own
UNKNOWN_MACHINE = "nobody noted on which machine it was measured: compare it with runs of the same machine alone"
_DIGEST_DIGITS = 16


def measured_metric(name: str, labels: Labels, unit: str, better: Better, groups: Sequence[Sequence[Json]]) -> Metric:
    """One group of samples for each process that they came from.

    Raises ValueError for what is no number, below zero or not finite, and where there is no sample.
    """
    key = metric_key(name, labels)
    numbers = [[_number(value, key) for value in group] for group in groups]
    if not any(numbers):
        raise ValueError(f"{key} has no sample")
    trials = tuple(
        TrialRecord("", number, tuple(group[:SAMPLES_AT_MOST]), dropped=max(len(group) - SAMPLES_AT_MOST, 0))
        for number, group in enumerate(numbers, 1)
    )
    count = sum(map(len, numbers))
    return Metric(name, labels, unit, better, trials, Summary(count, len(numbers), None, None, None, None, None))


def imported_result(
    tool: str,
    metrics: Sequence[Metric],
    *,
    started_at: str = "",
    environment: Environment | None = None,
    workload: Mapping[str, Json] | None = None,
    warnings: Sequence[str] = (),
) -> Result:
    where = environment or Environment({}, {}, {}, {})
    unknown = () if where.hardware_class.get("digest") else (UNKNOWN_MACHINE,)
    return Result(
        benchmark=tool,
        subject="real",
        profile="",
        started_at=started_at,
        duration_s=0.0,
        workload=workload or {},
        plan={},
        environment=where,
        metrics=tuple(metrics),
        checks=(),
        comparisons=(),
        warnings=(*warnings, *unknown),
        failures=(),
        verdict="not-measured",
        findings=(),
    )


def with_digest(known: Mapping[str, Json], tool: str, *deciding: str) -> dict[str, Json]:
    """A class of machines or of software by what the tool noted of it; none without what decides."""
    fields = {name: value for name, value in known.items() if value not in (None, "", [])}
    if not fields:
        return {}
    described = {**fields, "noted_by": tool}
    if any(name not in fields for name in deciding):
        return described
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    return {"digest": hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_DIGITS], **described}


def utc_time(noted: Json) -> str:
    """As results write it; a time without a zone is UTC, and what is no time is not known."""
    try:
        time = datetime.fromisoformat(str(noted))
    except ValueError:
        return ""
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _number(value: Json, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} has a sample that is no number: {short_text(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{key} has a sample that nothing can have: {number:g}")
    return number
