"""What a server adds to its model is told with its interval where it is beyond doubt, and else not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.served_findings import served_findings
from synapse_perf.analyze.served_plan import IN_PROCESS
from synapse_perf.model import Metric
from tests.analyze.made_latencies import SIMPLE, Answer, answers

CONFIDENCE = 0.95
SLOWER = replace(SIMPLE, decode_s=SIMPLE.decode_s + 0.3)


def side_by_side(served: Answer, own: Answer, *, processes: int = 6) -> list[Metric]:
    labels = {"tier": "fast", "prefix": "cold", "complexity": "simple"}
    return [
        *answers(labels, served, arm="fast", processes=processes),
        *answers({**labels, "variant": IN_PROCESS}, own, arm=f"fast {IN_PROCESS}", processes=processes),
    ]


def test_what_a_server_adds_is_a_finding_with_its_interval() -> None:
    (finding,) = served_findings(side_by_side(SLOWER, SIMPLE), CONFIDENCE)
    assert (finding.id, finding.severity) == ("server-cost", "low")
    assert finding.gain is not None and finding.gain.measured
    assert finding.gain.low is not None and finding.gain.high is not None
    assert finding.gain.low < 0.3 < finding.gain.high
    assert finding.gain.value == pytest.approx(0.3, rel=0.05)
    assert "the server adds" in finding.cause
    assert finding.evidence["answer_tokens_server"] == finding.evidence["answer_tokens_in_process"] == 64
    assert all((finding.change, finding.check, finding.alert))


def test_the_change_names_where_the_cost_lies() -> None:
    (in_tokens,) = served_findings(side_by_side(SLOWER, SIMPLE), CONFIDENCE)
    assert in_tokens.change.startswith("it lies in each token")
    before = replace(SIMPLE, prefill_s=SIMPLE.prefill_s + 0.5)
    (before_them,) = served_findings(side_by_side(before, SIMPLE), CONFIDENCE)
    assert before_them.change.startswith("it lies before the first token")


def test_a_server_that_is_faster_asks_for_no_change() -> None:
    (finding,) = served_findings(side_by_side(SIMPLE, SLOWER), CONFIDENCE)
    assert (finding.id, finding.severity, finding.gain) == ("server-faster", "info", None)


@pytest.mark.parametrize(
    "metrics",
    [
        side_by_side(SIMPLE, SIMPLE),  # nothing differs
        side_by_side(SLOWER, SIMPLE, processes=5),  # too few for an interval
        side_by_side(SLOWER, SIMPLE)[:4],  # nothing stands beside it
    ],
)
def test_without_a_difference_beyond_doubt_nothing_is_told(metrics: list[Metric]) -> None:
    assert served_findings(metrics, CONFIDENCE) == []


def test_answers_of_other_lengths_are_compared_by_their_first_token_alone() -> None:
    longer = replace(SIMPLE, decode_s=5 * SIMPLE.decode_s, tokens=320)
    assert served_findings(side_by_side(longer, SIMPLE), CONFIDENCE) == []
    later = replace(longer, prefill_s=SIMPLE.prefill_s + 0.3)
    (finding,) = served_findings(side_by_side(later, SIMPLE), CONFIDENCE)
    assert "to the first token of a fast query" in finding.cause


def test_chunks_stand_for_tokens_that_a_server_does_not_count() -> None:
    def with_chunks(count: int) -> list[Metric]:
        latency, *others = answers({"tier": "fast", "prefix": "cold", "complexity": "simple"}, SLOWER, arm="fast")
        trials = tuple(replace(one, facts={"chunks": (count,) * len(one.samples)}) for one in latency.trials)
        own = side_by_side(SLOWER, SIMPLE)[5:]
        return [replace(latency, trials=trials), *others, *own]

    (whole,) = served_findings(with_chunks(64), CONFIDENCE)
    assert "to a fast query" in whole.cause
    assert served_findings(with_chunks(8), CONFIDENCE) == []  # and its first token is as fast
