"""Which owner does a finding name, with which remedy, and when is a suspect proved?"""

from __future__ import annotations

import pytest

from synapse_perf.analyze.leak_attribution import (
    ATTRIBUTION,
    CLEARED,
    LEAST_S,
    ROUNDS,
    Wanted,
    attribution_specs,
    growing_hunts,
)
from synapse_perf.analyze.leak_findings import leak_findings, with_proof
from tests.analyze.made_leaks import HUNT, KB, SAMPLES, leaking, trial
from tests.analyze.made_owners import EACH, cleared, container, growing, rising, seen

HEAP = {"heap": float(EACH)}


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("dict", "growing-dict", "del STORE[next(iter(STORE))]"),
        ("lru_cache", "unbounded-lru-cache", "@lru_cache(maxsize=1024)"),
        ("list", "growing-list", "STORE = deque(maxlen=1000)"),
        ("set", "growing-set", "STORE.discard(entry)"),
    ],
)
def test_each_kind_of_container_has_its_remedy_in_code(kind: str, name: str, code: str) -> None:
    (finding,) = leak_findings(growing(HEAP), seen([container("app.cache.STORE", kind)]))

    assert (finding.id, finding.severity) == (name, "high")
    assert finding.evidence["owner"] == "app.cache.STORE"
    assert finding.evidence["site"] == "app/cache.py:41 (lookup)"
    assert finding.evidence["share"] == {"python": 1.0, "native": 0.0}
    assert finding.evidence["container"]["per_iteration"] == 1
    assert code in finding.change
    assert "--prove app.cache.STORE" in finding.check
    assert finding.alert
    assert finding.gain is not None
    assert (finding.gain.value, finding.gain.measured) == (EACH, False)


def test_models_that_are_kept_are_to_be_closed() -> None:
    model = container("app.MODELS", entry_type="llama_cpp.llama.Llama", can_close=True, entry_bytes=700.0)
    held = {"mapped_files": {"/models/a.gguf": rising(1)}}
    (finding,) = leak_findings(growing({**HEAP, "mapped_files": 1}), seen([model], python=1000, held=held))

    assert finding.id == "kept-objects"
    assert "one.close()" in finding.change
    assert (finding.evidence["made_in"], finding.evidence["mapped_files"]) == ("native", 1)


def test_memory_of_compiled_code_without_a_holder_has_the_line_after_which_it_grew() -> None:
    lines = {"app.py:9 (other)": 3.0 * EACH, "app.py:7 (work)": 1.02 * EACH}
    (finding,) = leak_findings(growing(HEAP), seen(python=100, native=lines))

    assert (finding.id, finding.evidence["owner"]) == ("native-memory", "app.py:7 (work)")
    assert "memray run --native" in finding.change


def test_what_explains_little_of_the_growth_is_no_owner() -> None:
    small = container("app.names", entry_bytes=50.0)
    (finding,) = leak_findings(growing(HEAP), seen([small]))

    assert (finding.id, finding.evidence["owner"]) == ("growing-objects", "app/cache.py:41 (lookup)")


def test_a_place_that_grows_is_told_by_its_innermost_name() -> None:
    places = [{"path": path, "growth_bytes": 24 * EACH} for path in ("app", "app.Store", "app.Store.blob")]
    (finding,) = leak_findings(growing(HEAP), seen(places=places))

    assert (finding.id, finding.evidence["owner"]) == ("growing-value", "app.Store.blob")


def test_probes_that_see_the_same_make_one_finding() -> None:
    held = {"sockets": {"CLOSE_WAIT": rising(1)}, "descriptors": {"socket": rising(1)}}
    one = container("app.PEERS", entry_type="socket.socket", entry_bytes=100.0)
    found = leak_findings(growing({"heap": 5e3, "sockets": 1, "descriptors": 1}), seen([one], python=5e3, held=held))

    assert [(finding.id, finding.evidence["what"]) for finding in found] == [("open-sockets", "CLOSE_WAIT")]
    assert found[0].evidence["memory_bytes"] == 5e3


@pytest.mark.parametrize(
    ("kind", "owner"),
    [("subprocess.Popen", "app.STARTED"), ("asyncio.unix_events._UnixSelectorEventLoop", ""), ("bytes", "")],
)
def test_what_holds_such_things_may_hold_several_each(kind: str, owner: str) -> None:
    """A shell with the program that it starts."""
    (finding,) = leak_findings(growing({"children": 2}), seen([container("app.STARTED", entry_type=kind)]))

    assert finding.evidence["owner"] == (owner or "not found")


def test_growth_that_is_not_decided_on_is_no_alarm() -> None:
    (finding,) = leak_findings(growing(HEAP, "inconclusive"), seen([container("app.STORE")]))

    assert finding.severity == "low"
    assert finding.cause.endswith("it may yet end, as a cache does that is bounded")


def test_few_readings_are_told() -> None:
    (finding,) = leak_findings(growing(HEAP), seen([container("app.STORE", series=rising(1, 4))], readings=4))

    assert "few_readings" in finding.evidence


# --- proved ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "outcome", "is_measured"),
    [(0.0, "proved", True), (1 * KB, "proved", True), (40 * KB, "part", False), (95 * KB, "not", False)],
)
def test_a_suspect_is_proved_where_clearing_it_ends_the_growth(left: float, outcome: str, is_measured: bool) -> None:
    one = growing(HEAP)
    found = leak_findings(one, seen([container("app.STORE")]))
    (finding,) = with_proof(found, one, cleared({"heap": left}), "app.STORE")

    assert finding.evidence["proof"]["outcome"] == outcome
    assert finding.gain is not None
    assert finding.gain.measured == is_measured


def test_a_suspect_that_nobody_named_gets_a_line_of_its_own() -> None:
    one = growing(HEAP)
    found = with_proof(leak_findings(one, seen([container("app.STORE")])), one, cleared(HEAP), "app.OTHER")

    assert [finding.evidence["owner"] for finding in found] == ["app.STORE", "app.OTHER"]
    assert "app.OTHER does not hold it" in found[1].cause


# --- which trials ----------------------------------------------------------------------------------------------------


def test_nobody_is_asked_where_nothing_grows() -> None:
    clean = trial({"heap": [0.0] * (SAMPLES[0] + 1)})

    assert growing_hunts([HUNT], [clean]) == []
    assert attribution_specs([], Wanted("app.STORE"), 120) == []


def test_a_leak_is_asked_about_once_and_once_more_with_the_suspect_cleared() -> None:
    leak = trial({"heap": leaking(EACH, SAMPLES[2] + 1)}, arm="look 3", calls=5)
    (one,) = growing_hunts([HUNT], [leak])
    first, second = attribution_specs([one], Wanted("app.STORE"), 120)

    assert (first.arm, first.samples, first.workload["attribute"]["rounds"]) == (ATTRIBUTION, 1, ROUNDS)
    assert first.workload["budget_s"] == 30
    assert (second.arm, second.samples) == (CLEARED, SAMPLES[2])
    assert (second.workload["suspect"], second.workload["clear"], second.workload["calls"]) == ("app.STORE", True, 5)
    assert one.growth("heap") == pytest.approx(EACH / 5)


def test_the_time_is_shared_by_all_that_grow() -> None:
    leak = trial({"heap": leaking(EACH, SAMPLES[2] + 1)}, arm="look 3")
    (one,) = growing_hunts([HUNT], [leak])

    assert [spec.workload["budget_s"] for spec in attribution_specs([one, one], Wanted(), 120)] == [15, 15]
    assert attribution_specs([one], Wanted(), 1)[0].workload["budget_s"] == LEAST_S
