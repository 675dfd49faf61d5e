"""What one process of ws-latency tells of a real server: the trials of the command, one by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.sync.client import connect

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.ws_lateness import told_trouble
from synapse_perf.commands.options import CommonOptions
from synapse_perf.commands.ws_options import MessageOptions
from synapse_perf.commands.ws_request import ws_request
from synapse_perf.commands.ws_run import WsRun
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Finding, Trial
from synapse_perf.profiles import Profile
from synapse_perf.profiles.ws_settings import WsLatencySettings
from tests.outside.engine_events import event_engine
from tests.outside.websocket_servers import websocket_server

Measured = Callable[..., tuple[WsRun, Trial]]


@pytest.fixture
def measured(tmp_path: Path) -> Measured:
    """The first trial of a run, which has not failed."""

    def carried_out(url: str, target: str = "", **options: object) -> tuple[WsRun, Trial]:
        asked = MessageOptions(**{"mode": "echo", **options})  # type: ignore[arg-type]
        common = CommonOptions(target=[target] if target else [])
        run = WsRun(Profile("found"), ws_request(url, asked, WsLatencySettings()), common)
        trial = run_trial(run.arms[0].spec, 1, register=Register(tmp_path), observe=lambda _: None)
        assert trial.failure is None, trial.failure
        return run, trial

    return carried_out


def latencies(trial: Trial) -> list[float]:
    return [
        one.value
        for sample in trial.samples
        for one in sample.values
        if one.metric == "websocket_latency" and not one.labels  # pings beside them have some
    ]


def findings(run: WsRun, trial: Trial) -> dict[str, Finding]:
    return {one.id: one for one in run.findings(metrics_of([trial], run.definitions), [trial])}


def lost(trial: Trial) -> int:
    return sum(sample.facts.get("is_lost") is True for sample in trial.samples)


def test_a_stall_of_the_server_is_in_the_tail_and_named(measured: Measured) -> None:
    """300 ms at 100 a second: about 30 messages wait for the rest of it, which a client that waits would not send."""
    with websocket_server("echo", 60) as url:
        run, trial = measured(url, messages=100)

    samples = sorted(latencies(trial))
    assert sum(sample > 0.1 for sample in samples) >= 15
    assert samples[-1] > 0.25
    stall = findings(run, trial)["websocket-stall"]
    assert stall.evidence["longest_s"] > 0.25
    assert stall.evidence["messages"] >= 15


def test_a_client_that_waits_hides_the_same_stall() -> None:
    """The independent comparison: it sends the next message when it has the answer to the last."""
    took_s = []
    with websocket_server("echo", 60) as url, connect(url, compression=None) as connection:
        for number in range(100):
            began_s = time.perf_counter()
            connection.send(str(number))
            connection.recv()
            took_s.append(time.perf_counter() - began_s)

    assert sum(one > 0.1 for one in took_s) <= 8  # one, and what a crowded machine adds
    assert max(took_s) > 0.25


def test_a_message_without_an_answer_counts_as_late_and_is_told(measured: Measured) -> None:
    with websocket_server("echo", 0, 60) as url:
        run, trial = measured(url, messages=60)

    assert max(latencies(trial)) == 2.0
    assert any("1 of 60 messages got no answer" in told for told in told_trouble([trial]))
    assert "websocket-messages-lost" in findings(run, trial)


def test_a_lost_message_is_over_any_limit(measured: Measured) -> None:
    with websocket_server("echo", 0, 20) as url:
        _, trial = measured(url, "websocket-latency<1.2s", messages=20)

    assert max(latencies(trial)) == 2.4


def test_pings_are_answered_by_the_protocol(measured: Measured) -> None:
    with websocket_server("silent") as url:
        _, trial = measured(url, mode="ping", messages=30)

    assert len(latencies(trial)) == 30
    assert lost(trial) == 0


def test_binary_answers_are_answers(measured: Measured) -> None:
    with websocket_server("binary") as url:
        _, trial = measured(url, messages=20)

    assert len(latencies(trial)) == 20
    assert lost(trial) == 0


def test_a_server_that_never_is_quiet_is_told(measured: Measured) -> None:
    """It is quiet all the same where a crowded machine lets it say nothing for 0.3 s."""
    told: list[str] = []
    for _ in range(4):
        with websocket_server("talking") as url:
            _, trial = measured(url, messages=20)
        assert lost(trial) == 0
        told += told_trouble([trial])
        if any("never stops sending by itself" in one for one in told):
            return
    raise AssertionError(told)


def test_an_event_counts_when_it_has_come_to_the_last_connection(measured: Measured) -> None:
    """After 100 events of the past; the first and the middle arrival are told beside it."""
    with event_engine() as engine:
        _, trial = measured(engine.events, mode=None, trigger=engine.trigger, messages=20, connections="4", rate=50.0)

    events = [sample for sample in trial.samples if "first_s" in sample.facts and not sample.values[0].labels]
    assert len(events) == 20
    assert all(
        sample.facts["first_s"] <= sample.facts["middle_s"] <= sample.values[0].value  # type: ignore[operator]
        for sample in events
    )
