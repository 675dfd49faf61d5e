"""Who holds what grows? The culprit by name, right after the verdict, with what proves it.

Of hunts that ask nobody, what is known of it all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from synapse_perf.host.leak_probes import BYTE_PROBES
from synapse_perf.model import Finding, Json, Result
from synapse_perf.report.document import Block, Fields, Paragraph, Section, Tone
from synapse_perf.report.leak_figures import format_amount, iteration_of, probe_name
from synapse_perf.units import format_bytes, format_percent, three_digits

# Of the evidence of a finding: what the list of findings has of an owner, and what it leaves to a section of its own.
_KEPT = ("owner", "site", "types", "readings", "few_readings")
_TOLD = ("hunt", "probe", "ran_share")
_OUTCOMES: Mapping[str, tuple[str, Tone]] = {
    "proved": ("PROVED", "bad"),
    "part": ("A PART OF IT", "warn"),
    "not": ("NOT THIS", "warn"),
}


def leak_owner_section(result: Result) -> Section | None:
    """None where nothing leaks."""
    owned = [finding for finding in result.findings if finding.evidence.get("owner")]
    blocks: list[Block] = []
    for number, finding in enumerate(owned, start=1):
        marker = f"{number}." if len(owned) > 1 else ""
        tone: Tone = "bad" if finding.severity == "high" else "warn"
        blocks.append(Paragraph(str(finding.evidence["owner"]), tone, marker))
        blocks.append(Fields(tuple(_rows(finding, result)), indent=len(marker) + 1 if marker else 0))
        blocks += _proof(finding, result)
    holders = result.plan.get("holders")
    if isinstance(holders, Mapping):
        blocks += [Paragraph(f"{hunt}: {told}.") for hunt, told in holders.items()]
    return Section("Who holds it", tuple(blocks)) if blocks else None


def without_told_evidence(result: Result) -> Result:
    """For the list of findings: of their evidence what no other section tells."""
    return replace(result, findings=tuple(map(_shortened, result.findings)))


def _shortened(finding: Finding) -> Finding:
    told = finding.evidence
    kept = [name for name in told if (name in _KEPT if told.get("owner") else name not in _TOLD)]
    return replace(finding, evidence={name: told[name] for name in kept})


def _rows(finding: Finding, result: Result) -> list[tuple[str, str]]:
    evidence = finding.evidence
    probe, hunt = str(evidence.get("probe", "")), str(evidence.get("hunt", ""))
    iteration = iteration_of(hunt, result)
    container, share = evidence.get("container"), evidence.get("share")
    rows = [("grows", f"{probe_name(probe)}, {hunt}" if len(_hunts(result)) > 1 else probe_name(probe))]
    if finding.gain is not None and "proof" not in evidence:
        rows[0] = (rows[0][0], f"{rows[0][1]}: +{format_amount(finding.gain.value, finding.gain.unit)} per {iteration}")
    if isinstance(container, Mapping) and container.get("type") != "value":
        rows.append(("holds", _container(container, iteration)))
    if evidence.get("what"):
        rows.append(("what", str(evidence["what"])))
    if evidence.get("site") and evidence["site"] != evidence["owner"]:
        rows.append(("made at", str(evidence["site"])))
    if isinstance(share, Mapping) and share:
        each = f"+{format_bytes(evidence['memory_bytes'])}: " if evidence.get("memory_bytes") else ""
        parts = f"{format_percent(share['python'])} Python, {format_percent(share['native'])} compiled code"
        rows.append(("memory", each + parts))
    if evidence.get("also"):
        rows.append(("also", ", ".join(map(str, evidence["also"]))))
    if evidence.get("values"):
        rows.append(("values", "\n".join(map(str, evidence["values"]))))
    return rows


def _container(container: Mapping[str, Json], iteration: str) -> str:
    pace = f"+{three_digits(container['per_iteration'])}"
    if container["unit"] == "B":
        return f"{container['type']}, {pace} bytes per {iteration}"
    entry = f" of {container['entry_type']}" if container["entry_type"] else ""
    each = f", {format_bytes(container['entry_bytes'])} each" if container["entry_bytes"] else ""
    unbounded = ", no bound" if "bound" in container and container["bound"] is None else ""
    return f"{container['type']}{unbounded}, {pace} entries per {iteration}{entry}{each}"


def _proof(finding: Finding, result: Result) -> list[Block]:
    proof = finding.evidence.get("proof")
    if not isinstance(proof, Mapping):
        return []
    word, tone = _OUTCOMES[str(proof["outcome"])]
    probe, iteration = str(finding.evidence["probe"]), iteration_of(str(finding.evidence["hunt"]), result)
    unit = "B" if probe in BYTE_PROBES else "1"
    before, after = (format_amount(proof[key], unit) for key in ("before", "after"))
    told = (
        f"{word}: +{before} per {iteration}, and {after} with it cleared each time ({proof['iterations']} {iteration}s)"
    )
    return [Paragraph(told, tone)]


def _hunts(result: Result) -> set[str]:
    return {metric.labels.get("hunt", "") for metric in result.metrics}
