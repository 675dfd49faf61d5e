"""Which models were asked, for how long an answer, and out of what did a two-stage query retrieve?"""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.analyze.latency_bounds import READS
from synapse_perf.model import Json, Result
from synapse_perf.report.document import Fields, Section
from synapse_perf.report.figures import format_evidence
from synapse_perf.report.settings import without_digests

_TOLD_ELSEWHERE = ("searched", READS, "tuning")  # in words, and by what follows from it


def latency_settings_section(result: Result, *, is_brief: bool = False) -> Section | None:
    """None where the result holds no settings; a brief one leaves out the plan, and what a table has."""
    workload, plan = without_digests(result.workload), without_digests(result.plan)
    if not isinstance(workload, dict) or not isinstance(plan, dict):
        return None
    tiers = workload.pop("tiers", None)
    for name in _TOLD_ELSEWHERE:
        workload.pop(name, None)
    retrieved = workload.pop("retrieved_from", "")
    load = workload.get("load")
    if isinstance(load, Mapping):  # its levels have a table of their own
        workload["load"] = {name: load[name] for name in ("users", "offered_per_s") if load.get(name)}
    if workload.get("temperature") == 0:
        workload["temperature"] = "0 (greedy)"
    rows: list[tuple[str, str]] = []
    if isinstance(tiers, Mapping):
        rows += [(str(tier), _model(entry, is_brief)) for tier, entry in tiers.items()]
    rows.append(("retrieval", str(retrieved)))
    rows.append(("asked", format_evidence(workload) if workload else ""))
    rows.append(("plan", format_evidence(plan) if plan and not is_brief else ""))
    kept = tuple((name, text) for name, text in rows if text)
    return Section("Settings", (Fields(kept),)) if kept else None


def _model(entry: Json, is_brief: bool) -> str:
    if not isinstance(entry, Mapping):
        return str(entry)
    context = None if is_brief else entry.get("context")  # the rates have a column of it
    parts = (entry.get("file"), entry.get("description"), f"context {context}" if context else "")
    return ", ".join(str(part) for part in parts if part)
