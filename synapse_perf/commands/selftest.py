"""Does leak-hunt see a planted leak on this machine, and stay silent without one? Real workers, a few seconds.

Each case is a function of benchmarks/leak_plants.py that is hunted as one of a user's would be. What caches and
WebSocket hunts look for is planted here as well, since they have no subject until a user names one.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from synapse_perf.errors import ExitCode

if TYPE_CHECKING:
    from synapse_perf.analyze.leak_plan import Hunt
    from synapse_perf.model import Leak, Policy, Trial, TrialSpec

PLANTS = "synapse_perf.benchmarks.leak_plants"
HUNT_S = 30.0  # which none comes near to, but on a machine that is fit for nothing
LOOKS_AT_MOST = 2
GRACE_S = 0.05  # for a server on this machine to close what a client has left
WEBSOCKET = Path(__file__).parents[1] / "benchmarks" / "websocket_plant.py"
KEYS_A_SAMPLE = 10
Outcome = Literal["ok", "failed", "not measured"]


@dataclass(frozen=True, slots=True)
class Case:
    """A function and what has to be seen: a leak of these probes, the kind of cache, or else nothing."""

    name: str
    function: str
    leaks: tuple[str, ...] = ()  # one of them is enough
    cache: str = ""  # the kind of analyze/leak_cache.py
    is_websocket: bool = False  # visited by clients; `function` is the server's argument


CASES = (
    Case("memory that is kept", "keeps_memory", leaks=("heap", "anonymous")),
    Case("descriptors that are kept", "keeps_descriptors", leaks=("descriptors",)),
    Case("a loop that keeps nothing", "keeps_nothing"),
    Case("a cache without a bound", "remembers_all", cache="unbounded"),
    Case("a cache with a bound", "remembers_few", cache="bounded"),
    Case("a WebSocket that keeps its sockets", "keeps", leaks=("sockets", "descriptors"), is_websocket=True),
    Case("a WebSocket that closes them", "closes", is_websocket=True),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one case."""

    case: str
    outcome: Outcome
    expected: str
    found: str
    remedy: str = ""


def self_test(python: str | None, *, quiet: bool) -> tuple[tuple[Seen, ...], ExitCode]:
    """Every case, and the exit code: 0, 3 where something was not told apart, 6 where a worker failed."""
    from synapse_perf.commands.measuring import carry_out

    with contextlib.ExitStack() as servers:
        hunts = {case.name: _hunts(case, python, servers) for case in CASES}
        every = [hunt for own in hunts.values() for hunt in own]
        outcome = carry_out(_looks(every), len(every), quiet=quiet)
    seen = tuple(_judge(case, hunts[case.name], outcome.trials) for case in CASES)
    if outcome.is_interrupted:
        return seen, ExitCode.INTERRUPTED
    outcomes = {one.outcome for one in seen}
    if "not measured" in outcomes:
        return seen, ExitCode.MEASUREMENT_FAILED
    return seen, ExitCode.INCONCLUSIVE if "failed" in outcomes else ExitCode.PASS


def _looks(hunts: Sequence[Hunt]) -> Policy:
    """Each hunt by itself, and no more looks than a verdict needs."""
    from synapse_perf.analyze.leak_plan import next_look

    def next_trial(trials: tuple[Trial, ...]) -> TrialSpec | None:
        for hunt in hunts:
            own = tuple(trial for trial in trials if trial.spec.labels.get("hunt") == hunt.name)
            spec = next_look([hunt], HUNT_S)(own) if len(own) < LOOKS_AT_MOST else None
            if spec is not None:
                return spec
        return None

    return next_trial


def _hunts(case: Case, python: str | None, servers: contextlib.ExitStack) -> tuple[Hunt, ...]:
    from synapse_perf.analyze.leak_plan import Hunt
    from synapse_perf.commands.leak_cache import cache_hunts
    from synapse_perf.commands.leak_options import CacheOptions
    from synapse_perf.model import TrialSpec

    if case.is_websocket:
        return _visits(servers.enter_context(_server(case.function)))
    reference = f"{PLANTS}:{case.function}"
    calls = KEYS_A_SAMPLE if case.cache else 1
    spec = TrialSpec("leak_function", "", {}, {"function": reference, "calls": calls}, python=python)
    hunt = Hunt(reference, "call", spec)
    return cache_hunts(hunt, CacheOptions()) if case.cache else (hunt,)


@contextlib.contextmanager
def _server(argument: str) -> Iterator[tuple[int, int]]:
    """The process and the port of a planted server; it ends with its stdin, also where this process is killed."""
    with subprocess.Popen(
        [sys.executable, str(WEBSOCKET), argument],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for this process
    ) as server:
        assert server.stdout is not None
        try:
            yield server.pid, int(server.stdout.readline())
        finally:
            server.kill()


def _visits(server: tuple[int, int]) -> tuple[Hunt, ...]:
    """Of clients that leave without a handshake."""
    from synapse_perf.commands.leak_outside import outside_hunts
    from synapse_perf.commands.leak_outside_options import OutsideOptions

    pid, port = server
    hunts, _ = outside_hunts(OutsideOptions(pid=pid, ws=f"ws://127.0.0.1:{port}/{pid}", disconnect="drop"), HUNT_S)
    quick = {"grace_s": GRACE_S, "calls": 1}
    return tuple(replace(hunt, spec=replace(hunt.spec, workload={**hunt.spec.workload, **quick})) for hunt in hunts)


def _judge(case: Case, hunts: Sequence[Hunt], trials: Sequence[Trial]) -> Seen:
    from synapse_perf.analyze.leak_plan import looks_of
    from synapse_perf.analyze.leak_rows import decisive, leaks_of

    looks = [decisive(looks_of(trials, hunt.name)) for hunt in hunts]
    expected = _expected(case)
    failures = [trial.failure for hunt in hunts for trial in looks_of(trials, hunt.name) if trial.failure is not None]
    if failures or any(look is None for look in looks):
        message, remedy = (failures[0].message, failures[0].remedy) if failures else ("it was not reached", "")
        return Seen(case.name, "not measured", expected, message, remedy)
    found = [row for look in looks if look is not None for row in leaks_of(look, None)]
    if case.cache:
        return _judge_cache(case, looks, expected)
    leaking = {probe: row for row in found if row.status == "leak" for probe in (_probe(row),)}
    told = "; ".join(f"{probe} {_growth(row)} each time" for probe, row in leaking.items()) or _clean(found)
    is_right = bool({*case.leaks} & {*leaking}) if case.leaks else not leaking and _is_decided(found)
    return Seen(case.name, "ok" if is_right else "failed", expected, told, "" if is_right else _remedy(case))


def _judge_cache(case: Case, looks: Sequence[Trial | None], expected: str) -> Seen:
    from synapse_perf.analyze.leak_cache import read_hunts
    from synapse_perf.analyze.leak_cache_findings import in_words

    repeated, fresh = looks
    seen = read_hunts(case.function, fresh, repeated)
    is_right = seen.kind == case.cache
    return Seen(
        case.name,
        "ok" if is_right else "failed",
        expected,
        in_words(seen).replace(f"{PLANTS}.", ""),
        "" if is_right else _remedy(case),
    )


def _expected(case: Case) -> str:
    if case.cache:
        return "growth for new keys alone" if case.cache == "unbounded" else "no growth once it is full"
    return f"a leak of {' or '.join(case.leaks)}" if case.leaks else "no leak"


def _is_decided(rows: Sequence[Leak]) -> bool:
    return all(row.status in ("clean", "retained") for row in rows)


def _clean(rows: Sequence[Leak]) -> str:
    from synapse_perf.units import format_bytes

    undecided = [_probe(row) for row in rows if row.status == "inconclusive"]
    if undecided:
        return f"undecided: {', '.join(undecided)}"
    smallest = max((row.smallest_seen or 0.0 for row in rows if row.unit == "B"), default=0.0)
    return f"no leak; one of {format_bytes(smallest)} each time would have been seen"


def _growth(row: Leak) -> str:
    from synapse_perf.units import format_value

    return f"+{format_value(row.growth or 0.0, row.unit)}"


def _probe(row: Leak) -> str:
    return row.metric.rpartition("probe=")[2].rstrip("}")


def _remedy(case: Case) -> str:
    if case.leaks or case.cache == "unbounded":
        return "a clean verdict of leak-hunt means nothing here: close other programs, or use another machine"
    return "a leak that leak-hunt tells may be none here: close other programs, or use another machine"
