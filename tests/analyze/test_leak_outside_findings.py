"""What is told to do about growth that was seen from outside: one finding for each kind, with all that it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from synapse_perf.analyze.leak_attribution import OUTSIDE, RUNNING, Growing, growing_hunts, recording_specs
from synapse_perf.analyze.leak_outside_findings import outside_findings
from synapse_perf.analyze.leak_plan import Hunt
from synapse_perf.analyze.leak_running import running_of
from synapse_perf.analyze.leak_trend import Slope
from synapse_perf.analyze.leak_unasked import told_holders
from synapse_perf.analyze.leak_verdict import Judged
from synapse_perf.model import Finding, LeakStatus, Trial, TrialSpec
from tests.analyze.made_leaks import SAMPLES, leaking, trial

URL = "http://127.0.0.1:8000/api/query?token=secret"
SERVICE = {"url": URL, "bodies": ["{}"], "process": {"pid": 7, "started_s": 1.0}, "timeout_s": 60.0}
WATCHED = {"every_s": 0.7, "process": {"pid": 7, "started_s": 1.0}}
VISITED = {**SERVICE, "url": "ws://127.0.0.1:8000/ws", "messages": [], "bodies": [], "disconnect": "drop"}
PROCESS = {"process": "python 7", "grown": {"anonymous": 3e6}, "samples": 50, "problem": ""}
# What the usual exporters tell, by their own documentation.
EXPORTED = (
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "namedprocess_namegroup_memory_bytes",
    "namedprocess_namegroup_num_threads",
    "namedprocess_namegroup_num_procs",
    "namedprocess_namegroup_states",
    "node_tcp_connection_states",
    "node_memory_Shmem_bytes",
    "DCGM_FI_DEV_FB_USED",
)


def growing(
    leaks: Mapping[str, float],
    *,
    benchmark: str = "leak_service",
    workload: Mapping[str, Any] = SERVICE,
    status: LeakStatus = "leak",
    **facts: Any,
) -> Growing:
    hunt = Hunt("/api/query of python", "request", TrialSpec(benchmark, "", {}, dict(workload)))
    judged = {
        probe: Judged(status, Slope(each, each * 0.9, each * 1.1), 1.0, 80, "12 are held", wants_longer=False)
        for probe, each in leaks.items()
    }
    look = trial({probe: leaking(each, SAMPLES[2] + 1) for probe, each in leaks.items()}, hunt=hunt, arm="look 3")
    return Growing(hunt, replace(look, facts={**look.facts, **facts}), judged)


def found(one: Growing, running: Mapping[str, Any] | None = None) -> list[Finding]:
    return list(outside_findings(one, running))


@pytest.mark.parametrize(
    ("grown", "name", "metric"),
    [
        ({"anonymous": 2e5}, "growing-memory", "process_resident_memory_bytes"),
        ({"shared_memory": 2e5, "mapped_files": 1}, "growing-shared-memory", "node_memory_Shmem_bytes"),
        ({"gpu_memory": 2e5}, "growing-gpu-memory", "DCGM_FI_DEV_FB_USED"),
        ({"descriptors": 1}, "open-descriptors", "process_open_fds"),
        ({"sockets": 1, "descriptors": 1}, "open-sockets", "process_open_fds"),
        ({"close_wait": 1, "sockets": 1, "descriptors": 1}, "open-sockets", "node_tcp_connection_states"),
        ({"threads": 1, "anonymous": 2e4}, "running-threads", "namedprocess_namegroup_num_threads"),
        ({"children": 1, "threads": 1, "anonymous": 9e6}, "running-children", "namedprocess_namegroup_num_procs"),
        ({"zombies": 1, "children": 1}, "zombie-processes", "namedprocess_namegroup_states"),
        ({"mapped_files": 1}, "mapped-files", "process_resident_memory_bytes"),
    ],
)
def test_each_kind_of_growth_is_one_finding_with_its_remedy_and_an_alert(
    grown: Mapping[str, float], name: str, metric: str
) -> None:
    (finding,) = found(growing(grown))

    assert (finding.id, finding.severity) == (name, "high")
    assert all((finding.cause, finding.evidence, finding.gain, finding.change, finding.check))
    assert metric in finding.alert
    named = re.findall(r"\b(?:process|namedprocess|node|DCGM)_\w+", finding.alert)
    assert set(named) - {"node_exporter"} <= set(EXPORTED)


def test_what_grows_faster_than_what_tells_it_has_a_finding_of_its_own() -> None:
    names = [finding.id for finding in found(growing({"close_wait": 1, "sockets": 1, "descriptors": 3}))]

    assert names == ["open-sockets", "open-descriptors"]


def test_what_children_hold_counts_with_them() -> None:
    (finding,) = found(growing({"anonymous": 9e6, "threads": 1, "children": 1, "descriptors": 3}))

    assert finding.evidence["also_grow"] == ["anonymous", "threads", "descriptors"]


def test_memory_beyond_the_stacks_of_threads_has_a_finding_of_its_own() -> None:
    names = [finding.id for finding in found(growing({"anonymous": 5e5, "threads": 1}))]

    assert names == ["growing-memory", "running-threads"]


def test_growth_that_is_not_decided_asks_for_nothing() -> None:
    assert found(growing({"anonymous": 2e5}, status="inconclusive")) == []


def test_the_gain_is_the_growth_and_an_estimate() -> None:
    (finding,) = found(growing({"descriptors": 2}))

    assert finding.gain is not None
    assert (finding.gain.value, finding.gain.unit, finding.gain.measured) == (2, "1", False)


@pytest.mark.parametrize(
    ("module", "workload", "command"),
    [
        ("leak_service", SERVICE, "leak-hunt --url http://127.0.0.1:8000/api/query, with the same --request"),
        ("leak_websocket", VISITED, "leak-hunt --ws ws://127.0.0.1:8000/ws --disconnect drop, once"),
        ("leak_process", WATCHED, "leak-hunt --pid PID of the changed program"),
    ],
)
def test_the_check_is_the_same_command_without_what_an_address_may_hide(
    module: str, workload: Mapping[str, Any], command: str
) -> None:
    (finding,) = found(growing({"descriptors": 1}, benchmark=module, workload=workload))

    assert command in finding.check
    assert "secret" not in finding.check


def test_clients_that_fell_silent_have_a_remedy_of_their_own() -> None:
    one = growing({"sockets": 1}, benchmark="leak_websocket", workload=VISITED, silent_for_s=45.0)
    (finding,) = found(one)

    assert finding.id == "silent-clients-kept"
    assert "12 are held" in finding.cause
    assert "--ws-ping-interval 20" in finding.change
    assert recording_specs([one], 120.0) == []


def test_kinds_and_functions_are_evidence() -> None:
    one = growing({"descriptors": 1}, grown={"descriptors": {"socket": 80, "pipe": 2}})
    (finding,) = found(one, {"functions": {"handle (app.py:4)": 0.9}})

    assert finding.evidence["held"] == {"socket": 80, "pipe": 2}
    assert finding.evidence["ran_share"] == {"handle (app.py:4)": 0.9}


# --- where it was meanwhile ------------------------------------------------------------------------------------------


def running(*processes: Mapping[str, Any]) -> Trial:
    return replace(trial({}), facts={"running": {"recorded_s": 5.0, "processes": list(processes)}})


def test_of_several_processes_the_one_that_grew_is_told() -> None:
    idle = {**PROCESS, "process": "python 6", "grown": {"anonymous": 0.0}, "functions": {"wait (a.py:1)": 500}}
    grew = {**PROCESS, "functions": {f"f{place} (a.py:{place})": 10 - place for place in range(8)}}

    told = running_of(running(idle, grew), "anonymous")

    assert (told["process"], told["grown_bytes"], told["samples"]) == ("python 7", 3e6, 50)
    assert next(iter(told["functions"].items())) == ("f0 (a.py:0)", 0.2)
    assert len(told["functions"]) == 5


def test_why_nothing_is_known_is_told_instead() -> None:
    told = running_of(running({**PROCESS, "samples": 0, "functions": {}, "problem": "it is no Python"}), "anonymous")

    assert told["problem"] == "it is no Python"
    assert "functions" not in told


def test_the_recording_is_short_and_does_what_the_hunt_does() -> None:
    service, watched = growing({"anonymous": 1e5}), growing({"anonymous": 1e5}, workload=WATCHED)
    long, short = recording_specs([service], 120.0), recording_specs([watched, watched], 4.0)

    assert [spec.workload["record"]["seconds"] for spec in (*long, *short)] == [5.0, 1.0, 1.0]
    assert [spec.workload["record"]["calls"] for spec in (*long, *short)] == [SAMPLES[2], 10, 10]
    assert {spec.arm for spec in (*long, *short)} == {RUNNING}
    assert long[0].workload["url"] == URL
    assert short[0].workload["every_s"] == 0.1


# --- who holds it, where nobody is asked -----------------------------------------------------------------------------


def holder(one: Growing, **facts: Any) -> str:
    look = replace(one.look, spec=replace(one.look.spec, labels={"hunt": one.hunt.name}))
    look = replace(look, facts={**look.facts, **facts})
    assert growing_hunts([one.hunt], [look], OUTSIDE) != [] or one.hunt.spec.benchmark not in OUTSIDE
    (told,) = told_holders([one.hunt], [look]).values()
    return told


def test_who_holds_it_is_told_as_far_as_it_is_known() -> None:
    cached = {"function": "app:ask"}
    of_cache = growing({"heap": 1e5, "entries": 1.0}, benchmark="leak_cache", workload=cached)
    behind = growing({"heap": 1e5}, benchmark="leak_cache", workload=cached)

    assert "from outside" in holder(growing({"descriptors": 1}))
    assert holder(of_cache, cache={"name": "app.STORE"}) == "app.STORE, as it gets an entry for each new key"
    assert holder(behind, cache={"name": "app.STORE"}).startswith("not app.STORE, whose entries stay as many")
    assert holder(behind) == "not known, as no cache of it can be seen: leak-hunt app:ask --arg KEY names it"
    assert "this tool's own" in holder(growing({"heap": 1e5}, benchmark="leak_servers"))


def test_of_what_does_not_leak_nothing_is_told() -> None:
    clean = growing({"anonymous": 0.0})

    assert told_holders([clean.hunt], [clean.look]) == {}
