"""Who holds what leaks, in a hunt that asks nobody? What is known of it all the same, and what would tell the rest.

A cache is known by construction: it is what gets an entry for each new key. What servers leave behind is a process
with a name. Of a process that is watched from outside no object can be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from synapse_perf.analyze.leak_attribution import INSIDE, OUTSIDE
from synapse_perf.analyze.leak_plan import Hunt, looks_of
from synapse_perf.analyze.leak_rows import decisive, judge_trial
from synapse_perf.analyze.leak_verdict import Judged
from synapse_perf.benchmarks.leak_loop import ENTRIES
from synapse_perf.host.leak_probes import MUST_BE_ZERO
from synapse_perf.model import Trial

_OUTSIDE = "not known: from outside no object of a process can be seen"
_LEFT = "what was left are processes, named above with their numbers and commands"
_STARTER = (
    "not asked: it is the process that starts the servers, which here is this tool's own; of your program's part in it "
    "leak-hunt pkg.module:function tells, for a function that starts and stops one server"
)


def told_holders(hunts: Iterable[Hunt], trials: Sequence[Trial]) -> dict[str, str]:
    """By the name of each hunt that leaks, and that is not asked for its owners."""
    told = {}
    for hunt in hunts:
        look = decisive(looks_of(trials, hunt.name))
        if look is None or hunt.spec.benchmark in INSIDE:
            continue
        leaking = {probe: one for probe, one in judge_trial(look).items() if one.status == "leak"}
        if leaking:
            told[hunt.name] = _holder(hunt, look, leaking)
    return told


def _holder(hunt: Hunt, look: Trial, leaking: Mapping[str, Judged]) -> str:
    if hunt.spec.benchmark in OUTSIDE:
        return _OUTSIDE
    if hunt.spec.benchmark == "leak_servers":
        return _LEFT if MUST_BE_ZERO & set(leaking) else _STARTER
    return _of_cache(str(hunt.spec.workload["function"]), look.facts.get("cache") or {}, leaking)


def _of_cache(function: str, cache: Mapping[str, object], leaking: Mapping[str, Judged]) -> str:
    ask = f"leak-hunt {function} --arg KEY names it"
    if ENTRIES in leaking and cache.get("name"):
        return f"{cache['name']}, as it gets an entry for each new key"
    if cache.get("name"):
        return f"not {cache['name']}, whose entries stay as many: {ask}"
    return f"not known, as no cache of it can be seen: {ask}"
