"""What ends growth that was seen from outside? A finding for each kind of thing that leaks, with its remedy.

Who holds it cannot be told from there, so the remedy is for the kind. What several probes see of the same leak is one
finding: a socket in CLOSE_WAIT is a socket and a descriptor, a zombie a child.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from synapse_perf.analyze.leak_attribution import Growing
from synapse_perf.analyze.leak_outside_remedies import MEMORY, OF_KIND, SILENT
from synapse_perf.analyze.leak_rows import unit_of
from synapse_perf.host.leak_probes import ANONYMOUS, GPU, SHARED
from synapse_perf.host.process_tree_probes import CLOSE_WAIT
from synapse_perf.model import Finding, Gain, Json
from synapse_perf.units import format_bytes, three_digits

# Of two probes that see the same the one that says more comes first.
ORDER = (ANONYMOUS, SHARED, GPU, CLOSE_WAIT, "sockets", "threads", "zombies", "children", "mapped_files", "descriptors")
CONTAINED = {"sockets": (CLOSE_WAIT,), "descriptors": ("sockets", CLOSE_WAIT), "children": ("zombies",)}
SAME = 0.9  # of the growth: so much of it is told by the other probe already
HELD_BY = {CLOSE_WAIT: "sockets", "zombies": "children"}  # by which probe what grew is told by its kind
# What children have as well, and what counts with them.
OF_CHILDREN = (ANONYMOUS, SHARED, GPU, "sockets", "threads", "mapped_files", "descriptors")
STACK_BYTES = 131_072  # of a thread, as far as it is touched, with what the allocator keeps for it
WORDS: Mapping[str, str] = {
    ANONYMOUS: "of memory",
    SHARED: "of shared memory",
    GPU: "of GPU memory",
    "descriptors": "open descriptors",
    "sockets": "open sockets",
    CLOSE_WAIT: "sockets in CLOSE_WAIT",
    "threads": "threads",
    "children": "child processes",
    "zombies": "zombie processes",
    "mapped_files": "mapped files",
}
KINDS_TOLD = 3


def outside_findings(growing: Growing, running: Mapping[str, Json] | None) -> Iterator[Finding]:
    """One for each leak of this hunt; `running`: where the process was meanwhile, if that is known."""
    leaking = [probe for probe in ORDER if probe in growing.judged and growing.judged[probe].status == "leak"]
    told = [probe for probe in leaking if not any(_tells(growing, other, probe) for other in leaking)]
    holder, theirs = _held_together(growing, told)
    for probe in told:
        if probe not in theirs:
            yield _finding(growing, probe, running, theirs if probe == holder else ())


def _held_together(growing: Growing, told: Sequence[str]) -> tuple[str, list[str]]:
    """What holds other things that grow, and which: a child what any process has, a thread its stack."""
    if "children" in told:
        return "children", [probe for probe in OF_CHILDREN if probe in told]
    is_stacks = growing.growth(ANONYMOUS) <= STACK_BYTES * growing.growth("threads")
    return "threads", [ANONYMOUS] if "threads" in told and ANONYMOUS in told and is_stacks else []


def _tells(growing: Growing, other: str, probe: str) -> bool:
    """Whether what one probe sees is in what another sees of the same: shared memory is mapped as a file is."""
    if (other, probe) == (SHARED, "mapped_files"):
        return True
    return other in CONTAINED.get(probe, ()) and growing.growth(other) >= SAME * growing.growth(probe)


def _finding(growing: Growing, probe: str, running: Mapping[str, Json] | None, theirs: Sequence[str]) -> Finding:
    judged, growth, unit = growing.judged[probe], growing.growth(probe), unit_of(probe)
    each = format_bytes(growth) if unit == "B" else three_digits(growth)
    slope = judged.slope
    is_silent = growing.look.facts.get("silent_for_s") is not None
    remedy = SILENT if is_silent else OF_KIND.get(probe, MEMORY)
    cause = f"{growing.hunt.name}: each {growing.hunt.iteration} leaves {each} {WORDS[probe]} behind"
    return Finding(
        id=remedy.kind,
        severity="high",
        cause=f"{cause}: {judged.reason}" if is_silent else cause,
        evidence=_evidence(growing, probe, running) | ({"also_grow": list(theirs)} if theirs else {}),
        gain=None
        if slope is None
        else Gain(growth, slope.low / growing.calls, slope.high / growing.calls, unit, False),
        change=remedy.change,
        check=_check(growing),
        alert=remedy.alert,
    )


def _evidence(growing: Growing, probe: str, running: Mapping[str, Json] | None) -> dict[str, Json]:
    judged = growing.judged[probe]
    evidence: dict[str, Json] = {"hunt": growing.hunt.name, "probe": probe, "readings": judged.count}
    grown = growing.look.facts.get("grown") or {}
    held = grown.get(probe) or grown.get(HELD_BY.get(probe, ""))
    if held:
        evidence["held_bytes" if unit_of(probe) == "B" else "held"] = dict(list(held.items())[:KINDS_TOLD])
    if running and running.get("functions"):
        evidence["ran_share"] = dict(list(running["functions"].items())[:KINDS_TOLD])
    return evidence


def _check(growing: Growing) -> str:
    """The same command, as far as its options may be told: a query in an address may be secret."""
    workload, benchmark = growing.hunt.spec.workload, growing.hunt.spec.benchmark
    if benchmark == "leak_process":
        return "synapse-perf leak-hunt --pid PID of the changed program, under the same load: the row is CLEAN"
    address = str(workload["url"]).partition("?")[0]
    option, more = "--url", ""
    if benchmark == "leak_websocket":
        option, more = "--ws", f" --disconnect {workload['disconnect']}"
    same = ", with the same --request" if workload.get("bodies") or workload.get("messages") else ""
    return f"synapse-perf leak-hunt {option} {address}{more}{same}, once the changed service runs: the row is CLEAN"
