"""What exactly was measured, and by which plan? Digests are left to the JSON, for they tell people nothing."""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.model import Json, Result
from synapse_perf.report.document import Fields, Section
from synapse_perf.report.figures import format_evidence

_TOLD_ELSEWHERE = ("grown", "running", "holders", "untold", "iterations")  # of a leak hunt: in sections of their own


def settings_section(result: Result) -> Section | None:
    """What all models share is told once; None where the result holds no settings."""
    workload = without_digests(result.workload)
    models = workload.pop("models", None)
    rows: list[tuple[str, str]] = []
    if isinstance(models, Mapping):
        entries = {name: dict(entry) if isinstance(entry, Mapping) else {} for name, entry in models.items()}
        shared = _shared_settings(entries)
        rows.append(("models", "\n".join(f"{name}: {format_evidence(entry)}" for name, entry in entries.items())))
        if shared:
            rows.append(("settings", format_evidence(shared)))
    elif models:
        workload["models"] = models
    plan = {name: entry for name, entry in result.plan.items() if name not in _TOLD_ELSEWHERE}
    rows += [(title, format_evidence(one)) for title, one in (("workload", workload), ("plan", plan)) if one]
    return Section("Settings", (Fields(tuple(rows)),)) if rows else None


def _shared_settings(entries: dict[str, dict[str, Json]]) -> Json:
    """Taken out of the entries where all have the same."""
    found = [entry.get("settings") for entry in entries.values()]
    if not found or any(one != found[0] for one in found):
        return None
    for entry in entries.values():
        entry.pop("settings", None)
    return found[0]


def without_digests(value: Json) -> Json:
    """Copied without digests, and without what was left open: null and empty lists."""
    if isinstance(value, Mapping):
        kept = {key: without_digests(entry) for key, entry in value.items() if "digest" not in key}
        return {key: entry for key, entry in kept.items() if entry is not None and entry != []}
    if isinstance(value, list | tuple):
        return [without_digests(entry) for entry in value]
    return value
