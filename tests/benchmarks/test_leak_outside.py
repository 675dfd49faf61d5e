"""What runs already, watched from outside: each planted fault is seen by its probe, and good servers stay clean.

The benchmarks run here in the test's own process, one look of as many samples as decide; the worker's way is in
tests/commands/test_leak_outside.py.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from types import ModuleType
from typing import Any

import psutil
import pytest

from synapse_perf.analyze.leak_rows import judge_trial, levels_of
from synapse_perf.analyze.leak_verdict import samples_of_look
from synapse_perf.benchmarks import leak_process, leak_service, leak_websocket
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.host.profiler_access import profiler_access
from synapse_perf.model import Trial, TrialSpec
from tests.outside.leaky_servers import SCRIPT, LeakyServer, leaky_server

BODY = '{"query": "What is in it?", "use_context": true}'
LONG_GRACE_S = 5.0  # for a server that lets go: it is waited for no longer than that takes
LONGEST, LONGER, FIRST = map(samples_of_look, (2, 1, 0))


def look(benchmark: ModuleType, samples: int, **workload: Any) -> Trial:
    """One look, as a worker takes it."""
    whole = {"budget_s": 60.0, "calls": 1, "samples": samples, **workload}
    context = Context(whole, 0, 0, ((0, 0, 0), (0, 0, 0)), lambda kind, **content: None)
    generator = benchmark.measure(context)
    found = tuple(itertools.islice(generator, samples))
    generator.close()
    return Trial(TrialSpec("", "look", {}, whole), 1, found, 0.0, context.facts)


def ask(running: LeakyServer, samples: int, *bodies: str) -> Trial:
    asked = {"url": running.url, "bodies": list(bodies), "timeout_s": 10.0, "grace_s": 1.0}
    return look(leak_service, samples, process=running.known, **asked)


def visit(running: LeakyServer, samples: int, way: str, **more: Any) -> Trial:
    asked = {"url": running.ws, "messages": [], "timeout_s": 5.0, "grace_s": 0.3, "disconnect": way, **more}
    return look(leak_websocket, samples, process=running.known, **asked)


def statuses(trial: Trial) -> dict[str, str]:
    return {probe: judged.status for probe, judged in judge_trial(trial).items()}


def leaking(trial: Trial) -> set[str]:
    return {probe for probe, status in statuses(trial).items() if status == "leak"}


# --- a service that is driven ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "samples", "probe"),
    [("bytes", LONGEST, "anonymous"), ("descriptor", LONGER, "descriptors"), ("thread", LONGER, "threads")],
)
def test_what_each_request_leaves_behind_is_seen(fault: str, samples: int, probe: str) -> None:
    with leaky_server(fault) as running:
        trial = ask(running, samples, BODY)

        assert running.process.poll() is None
    assert leaking(trial) == {probe}


def test_memory_that_rises_in_a_shorter_look_is_undecided_as_it_may_be_garbage() -> None:
    with leaky_server("bytes") as running:
        trial = ask(running, LONGER, BODY)

    judged = judge_trial(trial)["anonymous"]
    assert (judged.status, judged.wants_longer) == ("inconclusive", True)


@pytest.mark.parametrize("fault", ["", "cache", "late"])
def test_a_good_service_is_clean(fault: str) -> None:
    with leaky_server(fault) as running:
        trial = ask(running, LONGER, BODY)

    assert set(statuses(trial).values()) == {"clean"}


def test_garbage_that_waits_for_the_collector_is_no_leak() -> None:
    with leaky_server("saw-tooth") as running:
        assert leaking(ask(running, LONGEST, BODY)) == set()


def test_what_grew_is_told_by_kind_and_place() -> None:
    with leaky_server("thread") as running:
        threads = ask(running, FIRST, BODY).facts["grown"]["threads"]
    with leaky_server("descriptor") as running:
        kinds = ask(running, FIRST, BODY).facts["grown"]["descriptors"]

    assert kinds == {"device": FIRST}
    place, count = next(iter(threads.items()))
    assert (place.startswith("wait_for_ever (leaky_server.py:"), count) == (True, FIRST)


@pytest.mark.parametrize("fault", ["busy", "grows"])
def test_which_functions_run_while_it_grows_is_looked_at_without_harm(fault: str) -> None:
    record = {"record": {"seconds": 1.5, "calls": 300}}
    with leaky_server(fault) as running:
        if fault == "busy":
            asked = {"url": running.url, "bodies": [BODY], "timeout_s": 10.0, "grace_s": 1.0}
            trial = look(leak_service, 1, process=running.known, **asked, **record)
        else:
            trial = look(leak_process, 1, process=running.known, every_s=0.1, **record)
        assert psutil.Process(running.pid).status() in (psutil.STATUS_RUNNING, psutil.STATUS_SLEEPING)
        assert ask(running, 2, BODY).failure is None  # it still answers

    (seen,) = trial.facts["running"]["processes"]
    assert (trial.samples[0].values, seen["grown"]["anonymous"] > 1e6) == ((), True)
    if profiler_access().state == "ok":
        names = {"busy": "leave_behind", "grows": "grow"}
        assert any(function.startswith(f"{names[fault]} (leaky_server.py:") for function in seen["functions"])


def test_requests_that_fail_are_counted() -> None:
    with leaky_server("fails-now-and-then") as running:
        trial = ask(running, FIRST, BODY)
    with leaky_server("empty") as running:
        empty = ask(running, FIRST, BODY)

    assert trial.facts["warnings"] == ["6 of 23 requests failed (6 x 503): what grew may be theirs"]
    assert empty.facts["warnings"] == ["8 of 23 requests failed (8 x empty response): what grew may be theirs"]


def test_bodies_are_sent_in_turn_and_none_is_a_get() -> None:
    with leaky_server("only-twos") as running:
        ask(running, 4, "2", "[2]")
        with pytest.raises(BenchmarkFailed, match="the first request: /query answers 400: no two"):
            ask(running, 4, "1", "2")
        with pytest.raises(BenchmarkFailed, match="the first request: /query answers 400: no two"):
            ask(running, 4)


def test_a_service_that_fails_from_then_on_ends_the_hunt() -> None:
    with (
        leaky_server("fails") as running,
        pytest.raises(BenchmarkFailed, match="10 requests in a row failed, the last"),
    ):
        ask(running, FIRST, BODY)


def test_a_service_that_never_answers_does_not_outlast_the_time_of_the_hunt() -> None:
    with leaky_server("hangs") as running, pytest.raises(BenchmarkFailed, match=r"no whole answer within 0\.3 s"):
        look(
            leak_service,
            FIRST,
            process=running.known,
            url=running.url,
            bodies=[],
            timeout_s=60.0,
            grace_s=0.0,
            budget_s=0.3,
        )


def test_short_requests_are_repeated_within_a_sample() -> None:
    with leaky_server() as running:
        trial = look(
            leak_service, 3, process=running.known, url=running.url, bodies=[], timeout_s=5.0, grace_s=0.0, calls=None
        )

    assert all(1 <= int(sample.facts["calls"] or 0) <= 50 for sample in trial.samples)


# --- clients of a WebSocket ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["close", "drop", "reset"])
def test_a_good_server_is_clean_however_clients_leave(way: str) -> None:
    with leaky_server() as running:
        trial = visit(running, FIRST, way, grace_s=LONG_GRACE_S)

    assert set(statuses(trial).values()) == {"clean"}


@pytest.mark.parametrize(
    ("fault", "way", "samples", "probes"),
    [
        ("close-wait", "drop", LONGER, {"close_wait", "sockets", "descriptors"}),
        ("task", "reset", LONGEST, {"anonymous"}),
        ("close-wait", "close", FIRST, set()),
        ("task", "close", FIRST, set()),
    ],
)
def test_what_a_lost_client_leaves_behind_is_seen(fault: str, way: str, samples: int, probes: set[str]) -> None:
    grace = {} if probes else {"grace_s": LONG_GRACE_S}
    with leaky_server(fault) as running:
        assert leaking(visit(running, samples, way, **grace)) == probes


def test_messages_are_exchanged_in_turn() -> None:
    with leaky_server() as running:
        assert visit(running, 4, "close", messages=['"one"', '"two"' * 50]).facts["warnings"] == []


def test_a_server_that_asks_lets_go_of_silent_clients() -> None:
    with leaky_server("asks") as running:
        trial = visit(running, FIRST, "half-open", silent_s=20.0)

    assert statuses(trial) == {"sockets": "clean"}


@pytest.mark.parametrize(("told_s", "status"), [(2.0, "inconclusive"), (45.0, "leak")])
def test_silent_clients_that_are_kept_are_a_leak_if_they_were_watched_long_enough(told_s: float, status: str) -> None:
    with leaky_server() as running:
        trial = visit(running, FIRST, "half-open", silent_s=0.2)
    trial.facts["silent_for_s"] = told_s  # type: ignore[index]  # as if it had been so long
    judged = judge_trial(trial)["sockets"]

    assert (judged.status, levels_of(trial, "sockets")[-1]) == (status, FIRST)
    assert "23 of 23 clients are still held" in judged.reason


# --- a process that is only watched ----------------------------------------------------------------------------------


def test_growth_is_told_per_hour_and_workers_count_with_their_server() -> None:
    """As with a server of several processes: the leader does nothing, its child grows."""
    starter = f"import subprocess; subprocess.run([{sys.executable!r}, {str(SCRIPT)!r}, 'grows'])"
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout is not None
        leader.stdout.readline()
        child = psutil.Process(leader.pid).children()[0]
        known = {"pid": leader.pid, "started_s": psutil.Process(leader.pid).create_time()}
        try:
            trial = look(leak_process, LONGEST, process=known, every_s=0.03)
        finally:
            child.kill()

    assert leaking(trial) == {"anonymous"}
    assert sum(float(sample.facts["calls"] or 0) for sample in trial.samples) * 3600 > 0.03 * LONGEST
    assert next(iter(trial.facts["grown"]["anonymous"])).endswith(f" {child.pid}")


def test_a_process_that_ends_or_is_another_by_now() -> None:
    with leaky_server("ends") as running:
        known = running.known
        with pytest.raises(BenchmarkFailed, match=rf"process {running.pid} has ended after 1\d iterations"):
            ask(running, FIRST, BODY)
        with pytest.raises(BenchmarkFailed, match=f"process {running.pid} has ended"):
            look(leak_process, FIRST, process=known, every_s=0.01)
    with leaky_server() as running, pytest.raises(BenchmarkFailed, match="its number is another process's now"):
        known = {**running.known, "started_s": running.known["started_s"] - 60}
        look(leak_process, FIRST, process=known, every_s=0.01)
