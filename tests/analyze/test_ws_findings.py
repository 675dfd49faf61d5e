"""Is the cause of late messages named from what was measured beside them, and nothing where nothing is late?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from synapse_perf.analyze.summary import summarize
from synapse_perf.analyze.ws_cases import cases_of
from synapse_perf.analyze.ws_findings import longest_stall, ws_findings
from synapse_perf.analyze.ws_lateness import judged_by_sender, told_trouble
from synapse_perf.model import Check, CheckStatus, Fact, Metric, Sample, Trial, TrialRecord, TrialSpec

LIMIT_S = 0.05


def metric(values: Sequence[float], load: str = "", variant: str = "", late_s: Sequence[float] = ()) -> Metric:
    labels = {"mode": "ping" if variant else "event", "connections": "1"}
    labels |= {"load": load} if load else {}
    labels |= {"variant": variant} if variant else {}
    samples = tuple(values)
    facts: dict[str, tuple[Fact, ...]] = {
        "lateness_s": tuple(late_s) or (0.0,) * len(samples),
        "is_lost": (False,) * len(samples),
    }
    record = TrialRecord("", 1, samples, facts)
    return Metric("websocket_latency", labels, "s", "lower", (record,), summarize([samples]))


def check(one: Metric, status: CheckStatus) -> Check:
    return Check("websocket-latency", one.key, "p95", LIMIT_S, "s", 0.1, status, "as measured")


def under_load(ping_s: float) -> tuple[list[Metric], list[Check]]:
    idle, polled = metric([0.002] * 40, "idle"), metric([0.1] * 40, "polled")
    pings = [metric([0.001] * 40, "idle", "protocol ping"), metric([ping_s] * 40, "polled", "protocol ping")]
    return [idle, polled, *pings], [check(idle, "pass"), check(polled, "fail")]


def test_pings_that_wait_as_well_tell_of_a_blocked_event_loop() -> None:
    (found,) = ws_findings(*under_load(0.09), "http://h/resources")

    assert found.id == "websocket-blocked-under-load"
    assert "event loop is blocked" in found.cause
    assert "http://h/resources" in found.cause
    assert found.gain is not None
    assert (round(found.gain.value, 3), found.gain.measured) == (0.098, False)


def test_pings_that_do_not_wait_tell_of_the_application() -> None:
    (found,) = ws_findings(*under_load(0.0012), "http://h/resources")

    assert "its application waits, as pings do not" in found.cause


def test_nothing_is_found_where_both_are_in_time() -> None:
    metrics, checks = under_load(0.09)

    assert ws_findings(metrics, [check(metrics[0], "pass"), check(metrics[1], "pass")], "http://h/") == ()
    assert ws_findings(metrics[:1], checks[:1], None) == ()


def test_a_miss_without_load_is_split_into_ping_and_application() -> None:
    slow, ping = metric([0.1] * 40), metric([0.01] * 40, variant="protocol ping")
    (found,) = ws_findings([slow, ping], [check(slow, "fail")], None)

    assert found.id == "websocket-slow"
    assert "90.0 % is the application's" in found.cause


def test_a_stall_is_a_row_of_messages_that_wait_for_the_rest_of_it() -> None:
    """300 ms at 100 a second: 300, 290, 280 ... and so on; those under the limit are usual ones."""
    stalled = [0.001] * 50 + [0.3 - 0.01 * place for place in range(30)] + [0.001] * 20
    stall = longest_stall(metric(stalled), LIMIT_S)

    assert stall is not None
    assert (stall.longest_s, stall.messages) == (0.3, 25)
    at_random = [0.001, 0.3, 0.2, 0.29, 0.15, 0.28] * 10
    assert longest_stall(metric([*at_random, *[0.001] * 100]), LIMIT_S) is None
    one_alone = [0.001] * 50 + [0.3] + [0.001] * 20
    assert longest_stall(metric(one_alone), LIMIT_S) is None


def test_the_senders_own_pause_is_no_stall_of_the_server() -> None:
    pause = [0.3 - 0.01 * place for place in range(30)]
    values, late = [0.001] * 50 + [one + 0.001 for one in pause], [0.0] * 50 + pause

    assert longest_stall(metric(values, late_s=late), LIMIT_S) is None


def test_pings_belong_to_the_case_that_they_were_sent_beside() -> None:
    metrics, _ = under_load(0.09)
    cases = cases_of(metrics)

    assert [case.name for case in cases] == ["1 connection, idle", "1 connection, polled"]
    assert [case.ping.trials[0].samples[0] for case in cases if case.ping] == [0.001, 0.09]


# --- the sender ------------------------------------------------------------------------------------------------------


def trials(*late_s: float) -> list[Trial]:
    """A process each, all of whose messages were as late."""
    spec = TrialSpec("ws_latency", "", {"mode": "event", "connections": "1"}, {})
    return [
        Trial(spec, number, (Sample(()),), 1.0, {"lateness_s": [late] * 20}) for number, late in enumerate(late_s, 1)
    ]


def status(given: CheckStatus, *late_s: float) -> str:
    return judged_by_sender(check(metric([0.1]), given), trials(*late_s)).status


def test_a_miss_with_any_late_sender_and_a_pass_with_half_of_them_late_are_not_judged() -> None:
    """10 ms is a fifth of the limit. Lateness adds to what is measured, so that it never makes a pass."""
    assert status("fail", 0.001, 0.001, 0.001) == "fail"
    assert status("fail", 0.001, 0.001, 0.011) == "inconclusive"
    assert status("pass", 0.001, 0.001, 0.011) == "pass"
    assert status("pass", 0.011, 0.001, 0.011) == "inconclusive"
    assert status("not-measured", 0.1, 0.1) == "not-measured"


def test_a_refused_check_says_by_how_much_the_sender_was_late() -> None:
    judged = judged_by_sender(check(metric([0.1]), "fail"), trials(0.02, 0.001))

    assert "late in 1 of 2 processes, by 20.0 ms (99th percentile; 10.0 ms is allowed)" in judged.reason


# --- the URL that is polled beside the messages -----------------------------------------------------------------------


def test_how_the_polled_url_answers_is_part_of_the_evidence() -> None:
    metrics, checks = under_load(0.09)
    answers = replace(metrics[1], name="polled_latency", trials=(TrialRecord("", 1, (0.11, 0.12), {}),))
    (found,) = ws_findings([*metrics, answers], checks, "http://h/resources")

    assert found.evidence["answer_of_the_polled_p95_s"] == pytest.approx(0.12, abs=0.01)


@pytest.mark.parametrize(
    ("answers", "failed", "expected"),
    [
        (20, 0, []),
        (0, 0, ["polled: no poll was answered before the messages were over"]),
        (18, 2, ["polled: 2 of 20 polls failed (GET /a answers 500)"]),
    ],
)
def test_polls_without_an_answer_are_told(answers: int, failed: int, expected: list[str]) -> None:
    load = {"answers": answers, "failed": failed, "error": "GET /a answers 500" if failed else "", "skipped": 0}
    trial = Trial(
        TrialSpec("ws_latency", "polled", {}, {}), 1, (), 1.0, {"lateness_s": [], "load": {**load, "left": 1}}
    )

    assert told_trouble([trial]) == expected
