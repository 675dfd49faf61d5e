"""What may stand in a result file?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal

from synapse_perf.model import SCHEMA_VERSION, Json, Result, Suite

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# What the names do not say; units are base units (s, B, 1, 1/s).
DESCRIPTIONS: Mapping[str, Mapping[str, str]] = {
    "Result": {
        "kind": "One run of one measuring command.",
        "schema_version": "Newer files are refused, older ones are migrated when they are read.",
        "benchmark": "The measuring command, such as profile-load.",
        "subject": "sample: made or built in by the tool, so it says nothing about the user's system.",
        "profile": "Name of the profile that was used.",
        "started_at": "RFC 3339 in UTC.",
        "duration_s": "Seconds from start to end of the whole run.",
        "workload": "What was measured, with digests.",
        "plan": "How it was measured: trials, limits, seed, confidence.",
        "metrics": "One entry for each metric and set of labels.",
        "checks": "One entry for each target and set of labels.",
        "comparisons": "One entry for each metric that was compared with a baseline.",
        "warnings": "What makes the numbers less certain, and what to do about it.",
        "failures": "Trials that gave no sample; the others are kept.",
        "verdict": "The worst of the checks.",
        "findings": "Causes with their evidence, the change that removes each, and what to watch afterwards.",
        "leaks": "One entry for each probe of a leak hunt; absent or empty in any other run.",
    },
    "Suite": {
        "kind": "The results of several commands.",
        "schema_version": "Newer files are refused, older ones are migrated when they are read.",
        "results": "One entry for each command.",
        "checks": "The checks of all results.",
        "verdict": "The worst of the checks.",
    },
    "Environment": {
        "hardware_class": "What decides speed, with its digest; results of different digests are not comparable.",
        "software_class": "What may change speed, with its digest; a difference is named in a comparison.",
        "volatile": "What wobbles from run to run and is never compared: load, current clock rate, temperature.",
        "git": "The commit that was measured, and whether the tree was clean.",
    },
    "Metric": {
        "name": "What was measured, such as model_startup_time.",
        "labels": "Under which conditions, such as cache=cold.",
        "unit": "Base unit of all numbers of this metric.",
        "better": "The direction that is better; exact: any change counts; none: only shown.",
        "trials": "One entry for each process.",
        "summary": "Statistics over the samples of all trials.",
    },
    "TrialRecord": {
        "arm": "The variant, such as the load mode.",
        "process": "Counts from 1 within its arm.",
        "samples": "In the order they were measured, in the metric's unit; warm-ups are not among them.",
        "facts": "By name, one value for each sample; one alone is true of all of them.",
        "dropped": "How many samples beyond those listed were measured and not kept.",
    },
    "Summary": {
        "count": "Samples.",
        "processes": "Processes that they came from.",
        "median": "In the metric's unit; null: more samples are needed.",
        "p90": "In the metric's unit; null: more samples are needed.",
        "p95": "In the metric's unit; null: more samples are needed.",
        "p99": "In the metric's unit; null: more samples are needed.",
        "interval": "Null: more samples are needed.",
    },
    "Interval": {
        "statistic": "The statistic that lies between the bounds.",
        "low": "In the metric's unit.",
        "high": "In the metric's unit.",
        "confidence": "Ratio between 0 and 1.",
    },
    "Check": {
        "target": "Its id in the target table, such as model-startup-cpu.",
        "metric": "Name and labels: name{a=1,b=2}, labels sorted.",
        "statistic": "The statistic that is judged.",
        "limit": "In `unit`.",
        "unit": "Base unit of limit and observed.",
        "observed": "In `unit`; null: not known.",
        "reason": "Why the status is what it is.",
    },
    "Comparison": {
        "metric": "Name and labels: name{a=1,b=2}, labels sorted.",
        "baseline": "Median of the baseline, in `unit`.",
        "current": "Median of this run, in `unit`.",
        "unit": "Base unit of baseline and current.",
        "ratio": "Current over baseline.",
        "low": "Lower bound of the ratio.",
        "high": "Upper bound of the ratio.",
        "reason": "Why the status is what it is.",
    },
    "Leak": {
        "metric": "Name and labels: name{a=1,b=2}, labels sorted; its samples are the series that was judged.",
        "growth": "For one iteration, in `unit`; null: too few iterations.",
        "low": "Lower bound of the growth, in `unit`; null: too few iterations.",
        "high": "Upper bound of the growth, in `unit`; null: too few iterations.",
        "confidence": "Of the bounds: ratio between 0 and 1.",
        "unit": "Base unit: B, or 1 for what is counted.",
        "smallest_seen": "The smallest leak for one iteration that would have been told, in `unit`; null: not known.",
        "iterations": "How many were judged, after those that warmed up.",
        "full_after": "Iterations until the memory that is free now is full at that rate; null: it is not.",
        "reason": "Why the status is what it is.",
    },
    "Failure": {
        "message": "What happened, in one line.",
        "remedy": "What to do about it.",
        "detail": "The words of the library or process that failed.",
        "arm": "The variant that failed; empty: none in particular.",
        "labels": "The conditions that it failed under.",
    },
    "Finding": {
        "id": "The kind of cause, the same in every run.",
        "evidence": "The numbers that the cause rests on.",
        "gain": "Null: not known.",
        "change": "The setting or code that removes the cause.",
        "check": "How to see that the change worked.",
        "alert": "What to watch afterwards.",
    },
    "Gain": {
        "value": "In `unit`.",
        "low": "Lower bound, in `unit`; null: not known.",
        "high": "Upper bound, in `unit`; null: not known.",
        "unit": "Base unit.",
        "measured": "True: measured before and after; false: estimated.",
    },
}


@cache
def adapter() -> TypeAdapter[Result | Suite]:
    """Reads result files strictly: no unknown key, no text for a number, no number that is not finite."""
    from pydantic import ConfigDict, Field, TypeAdapter

    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return TypeAdapter(Annotated[Result | Suite, Field(discriminator="kind")], config=config)


def json_schema() -> dict[str, Json]:
    """The JSON Schema (draft 2020-12) of every file that `load` accepts in the newest version."""
    generated = adapter().json_schema(ref_template="#/$defs/{model}")
    definitions: dict[str, Json] = generated["$defs"]
    for name, definition in definitions.items():
        for field, schema in definition["properties"].items():
            schema.pop("title", None)  # generated from the name, which it only repeats
            text = DESCRIPTIONS.get(name, {}).get(field)
            if text is not None:
                schema["description"] = text
    _require_kind_and_version(definitions["Result"], "result")
    _require_kind_and_version(definitions["Suite"], "suite")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:synapse-perf:result:{SCHEMA_VERSION}",
        "title": "Result file of synapse-perf",
        "description": "One run of a measuring command (result) or of several (suite), in base units: s, B, 1, 1/s.",
        "oneOf": generated["oneOf"],
        "$defs": definitions,
    }


def _require_kind_and_version(definition: dict[str, Json], kind: Literal["result", "suite"]) -> None:
    properties = definition["properties"]
    fixed: tuple[tuple[str, str | int], ...] = (("kind", kind), ("schema_version", SCHEMA_VERSION))
    for field, value in fixed:
        properties[field].pop("default", None)
        properties[field]["const"] = value
    definition["required"] = [field for field, _ in fixed] + definition["required"]
    definition["properties"] = {field: properties[field] for field in ("kind", "schema_version", *properties)}
