"""Which leaks have an owner, and what ends them? A finding for each, with the owner in its evidence by name.

What two probes see of the same leak is one finding: a socket is a descriptor, a thread of Python is one of the
system's, and what a count is held by may be what memory is held by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from synapse_perf.analyze.leak_attribution import Growing
from synapse_perf.analyze.leak_filling import Filling, filling_caches, filling_of
from synapse_perf.analyze.leak_owners import LEAST_READINGS, Owner, grown_types, owner_of
from synapse_perf.analyze.leak_remedies import (
    BY_CONTAINER,
    CLOSED,
    COUNTED,
    DICT,
    FILLING,
    NATIVE,
    OBJECTS,
    REGISTERED,
    Remedy,
)
from synapse_perf.analyze.leak_rows import judge_probe
from synapse_perf.host.leak_probes import ANONYMOUS, BYTE_PROBES, GPU, HEAP, SHARED
from synapse_perf.model import Finding, Gain, Json, Trial
from synapse_perf.units import format_bytes, format_percent, three_digits

# Of two probes that see the same the one that says more comes first.
ORDER = (
    "tasks",
    "python_threads",
    "threads",
    "sockets",
    "zombies",
    "orphaned_children",
    "children",
    "mapped_files",
    "descriptors",
)
MEMORY = (HEAP, ANONYMOUS, SHARED, GPU)  # of which what the first sees is in what the others see
CONTAINED = {"descriptors": "sockets", "threads": "python_threads", "children": "zombies"}
SAME = 0.9  # of the growth: so much of it is told by the other probe already
VANISHED_SHARE = 0.1  # of the growth: less is left once the suspect is cleared, and it is proved
MAY_END = "it may yet end, as a cache does that is bounded"
HALF = 0.5  # a suspect that takes that much away holds a part of it


def leak_findings(growing: Growing, attribution: Trial) -> list[Finding]:
    """One for each leak of this hunt."""
    seen: Mapping[str, Any] = attribution.facts["attribution"]
    counted = [owner_of(growing, probe, seen) for probe in _told_probes(growing)]
    found = [_finding(growing, owner, seen) for owner in counted]
    probe = next((one for one in MEMORY if one in growing.judged), None)
    if probe is not None:
        memory = owner_of(growing, probe, seen)
        found = _with_memory(found, counted, _finding(growing, memory, seen), memory)
    return found


def _with_memory(
    found: Sequence[Finding], counted: Sequence[Owner], of_memory: Finding, memory: Owner
) -> list[Finding]:
    """The finding on memory first, unless what is counted has the same owner: then one tells both."""
    same = [place for place, owner in enumerate(counted) if _is_same(owner, memory)]
    if not same:
        return [of_memory, *found]
    of_count, rest = found[same[0]], [one for place, one in enumerate(found) if place != same[0]]
    if counted[same[0]].probe == "mapped_files":  # a mapped file is a part of what is kept
        more = {"what": of_count.evidence["what"], "mapped_files": of_count.gain.value if of_count.gain else None}
        return [replace(of_memory, evidence={**of_memory.evidence, **more}), *rest]
    memory_bytes = of_memory.gain.value if of_memory.gain else None
    more = {"memory_bytes": memory_bytes, "share": of_memory.evidence.get("share", {})}
    return [replace(of_count, evidence={**of_count.evidence, **more}), *rest]


def _is_same(one: Owner, other: Owner) -> bool:
    """Whether both are about the same: one container, or one line that makes it."""
    return (one.container is not None and one.name == other.name) or (bool(one.site) and one.site == other.site)


def _told_probes(growing: Growing) -> Iterable[str]:
    for probe in ORDER:
        if probe not in growing.judged:
            continue
        closer = CONTAINED.get(probe)
        if closer is None or growing.growth(closer) < SAME * growing.growth(probe):
            yield probe


def _finding(growing: Growing, owner: Owner, seen: Mapping[str, Any]) -> Finding:
    judged = growing.judged[owner.probe]
    is_leak = judged.status == "leak"
    filling = filling_of(growing, owner.container, seen) if owner.container is not None and not is_leak else None
    remedy = _to_go_on(filling, growing.hunt.name) if filling is not None else remedy_for(owner)
    growth, iteration = growing.growth(owner.probe), growing.hunt.iteration
    unit = "B" if owner.probe in BYTE_PROBES else "1"
    each = format_bytes(growth) if unit == "B" else three_digits(growth)
    cause = f"{growing.hunt.name}: {_told(owner, iteration)}, {'+' if growth > 0 else ''}{each} per {iteration}"
    slope = judged.slope
    gain = None if slope is None else Gain(growth, slope.low / growing.calls, slope.high / growing.calls, unit, False)
    return Finding(
        id=remedy.kind,
        severity="high" if is_leak else "low",
        cause=cause if is_leak else f"{cause}; {filling.told if filling is not None else MAY_END}",
        evidence=_evidence(growing, owner, seen),
        gain=gain,
        change=remedy.change.replace("{name}", _name_in_code(owner)),
        check=_check(owner, filling),
        alert=remedy.alert,
    )


def _to_go_on(filling: Filling, hunt: str) -> Remedy:
    change = FILLING.change.replace("{hunt}", hunt).replace("{way_on}", filling.way_on)
    return replace(FILLING, change=change)


def remedy_for(owner: Owner) -> Remedy:
    if owner.probe in COUNTED:
        return COUNTED[owner.probe]
    container = owner.container
    if container is None:
        return NATIVE if owner.made == "native" else OBJECTS
    if owner.name.startswith("weakref."):
        return REGISTERED
    if container.get("can_close") and "." in str(container.get("entry_type")):
        return CLOSED
    return BY_CONTAINER.get(str(container["type"]), DICT)


def _told(owner: Owner, iteration: str) -> str:
    """Who it is, what grows in there, and from where."""
    container = owner.container
    if container is None:
        told = f"{owner.what} left by {owner.name}" if owner.what and owner.what != owner.name else owner.name
    elif container["type"] == "value":
        told = f"{owner.name} grows"
    else:
        entries = "bytes" if container["unit"] == "B" else f"of {container['entry_type'] or 'entries'}"
        told = f"{owner.name} ({container['type']}) gets {three_digits(owner.entries_per_call)} {entries}"
        told += f" per {iteration}"
    site = f", made at {owner.site}" if owner.site and owner.site != owner.name else ""
    share = f", {format_percent(owner.share['python'])} of it Python's" if owner.share else ""
    return told + site + share


def _evidence(growing: Growing, owner: Owner, seen: Mapping[str, Any]) -> dict[str, Json]:
    evidence: dict[str, Json] = {
        "owner": owner.name,
        "site": owner.site,
        "hunt": growing.hunt.name,
        "probe": owner.probe,
    }
    if owner.container is not None:
        evidence["container"] = {**owner.container, "per_iteration": owner.entries_per_call}
    if owner.what:
        evidence["what"] = owner.what
    if owner.share:
        evidence["share"] = dict(owner.share)
        evidence["made_in"] = owner.made
        evidence["types"] = grown_types(seen)
    if also := [*owner.others, *_still_filling(growing, owner.probe, seen)]:
        evidence["also"] = also
    if owner.values:
        evidence["values"] = list(owner.values)
    readings = len(seen["traced_bytes"])
    evidence["readings"] = readings
    if readings < LEAST_READINGS:
        evidence["few_readings"] = f"fewer than {LEAST_READINGS}, so the owner is a guess"
    return evidence


def _still_filling(growing: Growing, probe: str, seen: Mapping[str, Any]) -> list[str]:
    """Beside a leak: what is a part of the growth, and ends."""
    if growing.judged[probe].status != "leak":
        return []
    form = format_bytes if probe in BYTE_PROBES else three_digits
    parts = [(one, one.gives_back.get(probe, 0.0)) for one in filling_caches(growing, seen)]
    return [f"{one.name}, +{form(part)} per {growing.hunt.iteration}, {one.told}" for one, part in parts if part > 0]


def _check(owner: Owner, filling: Filling | None) -> str:
    again = f"hunt again{f' with {filling.way_on}' if filling is not None else ''}: the row is CLEAN"
    has_name = owner.container is not None and owner.container["path"] and not set("[ ") & set(owner.name)
    if filling is not None or not has_name:
        return again
    return f"{again}; before any change: --prove {owner.name}, which clears it between the iterations"


def _name_in_code(owner: Owner) -> str:
    """As it stands in the module that it belongs to."""
    if owner.container is None or not owner.container["path"]:
        return "it"
    return owner.name.rpartition(".")[2] if "[" not in owner.name else owner.name


# --- proved ----------------------------------------------------------------------------------------------------------


def with_proof(findings: Iterable[Finding], growing: Growing, cleared: Trial, suspect: str) -> list[Finding]:
    """The findings with what clearing the suspect changed; one of its own where no owner goes by that name."""
    proofs = {probe: _proof(growing, probe, cleared) for probe in growing.judged}
    told, name = [], suspect.replace(":", ".")
    for finding in findings:
        proof = proofs.get(str(finding.evidence.get("probe")))
        if proof is None or finding.evidence.get("owner") != name:
            told.append(finding)
            continue
        is_proved = proof["outcome"] == "proved"
        gain = finding.gain
        if gain is not None and is_proved:
            gain = Gain(proof["before"] - proof["after"], None, None, gain.unit, measured=True)
        told.append(replace(finding, evidence={**finding.evidence, "proof": proof}, gain=gain))
    if any("proof" in finding.evidence for finding in told):
        return told
    return [*told, _own_finding(name, growing, proofs)]


def _own_finding(name: str, growing: Growing, proofs: Mapping[str, Mapping[str, Json]]) -> Finding:
    probe = next((one for one in (*MEMORY, *ORDER) if one in proofs), next(iter(proofs)))
    proof = proofs[probe]
    evidence = {"owner": name, "hunt": growing.hunt.name, "probe": probe, "proof": dict(proof)}
    words = {"proved": "holds it", "part": "holds a part of it", "not": "does not hold it"}[str(proof["outcome"])]
    cause = f"{growing.hunt.name}: {name} {words}: growth is {_both(probe, proof)} with it cleared"
    change = f"bound or empty {name}" if proof["outcome"] == "proved" else "look at the other owners"
    return Finding("suspect", "info", cause, evidence, None, change, "hunt again: the row is CLEAN", "")


def _both(probe: str, proof: Mapping[str, Json]) -> str:
    form = format_bytes if probe in BYTE_PROBES else three_digits
    return f"{form(proof['before'])} per call before and {form(proof['after'])}"


def _proof(growing: Growing, probe: str, cleared: Trial) -> dict[str, Json]:
    """Growth for one call, before and with the suspect cleared, and what that says."""
    before = growing.growth(probe)
    judged = judge_probe(cleared, probe)
    after = judged.slope.middle / growing.calls if judged.slope else before
    is_gone = judged.status == "clean" or after <= VANISHED_SHARE * before
    outcome = "proved" if is_gone and judged.slope else "part" if after <= HALF * before else "not"
    return {"outcome": outcome, "before": before, "after": after, "iterations": round(judged.count * growing.calls)}
