"""Is a tier said to be bound by what takes its time, with an efficiency that arithmetic gives?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import pytest

from synapse_perf.analyze.latency_bound_findings import bound_findings, sentence
from synapse_perf.analyze.latency_bounds import BANDWIDTH, READS, Bound, DecodeReads, bounds_of, reads_of
from synapse_perf.model import Fact, Metric, TrialRecord
from tests.analyze.made_latencies import LEVELS, Answer, metric, tier, two_stage

GB = 1e9
# 1 GB of weights, 1 MB for each token in the KV cache; 11 tokens after a prompt of 95, so 100 in the cache midway.
READS_1GB = DecodeReads(weights_bytes=10**9, kv_row_bytes=1e6, elements=10**9, cache_bytes=32 << 20)
DECODING = Answer(0.2, 1.0, 0.02, prompt_tokens=95, tokens=11)
READING = Answer(3.0, 1.0, 0.02, prompt_tokens=900, tokens=11)


def bandwidth(per_s: float, levels: Sequence[float] = LEVELS) -> Metric:
    groups = [[per_s * level] * 5 for level in levels]
    return metric(BANDWIDTH, {"threads": "4"}, groups, arm="memory bandwidth", unit="B/s", better="higher")


def bound_of(answer: Answer, reads: DecodeReads = READS_1GB, per_s: float = 20 * GB, processes: int = 6) -> Bound:
    metrics = [*tier("deep", "complex", answer, processes=processes), bandwidth(per_s)]
    (found,) = bounds_of(metrics, {"deep": reads}, 0.95)
    return found


def test_the_efficiency_is_bytes_a_token_times_tokens_a_second_over_bandwidth() -> None:
    found = bound_of(DECODING)

    assert found.token_bytes == pytest.approx(1e9 + 100e6)  # the cache holds 100 tokens in the middle of the answer
    assert found.efficiency is not None
    assert found.efficiency.value == pytest.approx(10 * 1.1e9 / 20e9, rel=0.05)  # ten of eleven tokens are decoded
    assert found.efficiency.low is not None
    assert found.efficiency.high is not None
    assert found.efficiency.low < found.efficiency.value < found.efficiency.high


@pytest.mark.parametrize(
    ("per_s", "by", "words"),
    [
        (12 * GB, "memory-bandwidth", "bound by memory bandwidth: 1.02 GiB a token"),
        (18 * GB, "decode", "bound by computing and memory together"),
        (60 * GB, "decode-computing", "bound by computing rather than by memory"),
    ],
)
def test_what_decoding_waits_for_is_told_by_how_much_of_the_bandwidth_it_uses(
    per_s: float, by: str, words: str
) -> None:
    found = bound_of(DECODING, per_s=per_s)

    assert found.by == by
    assert words in sentence(found)


def test_weights_that_fit_into_the_cache_are_not_read_from_memory() -> None:
    found = bound_of(DECODING, replace(READS_1GB, cache_bytes=2**30))

    assert (found.by, found.efficiency) == ("decode-computing", None)
    assert "fit into the processor's cache of 1.00 GiB" in sentence(found)


def test_what_cannot_be_known_is_said() -> None:
    found = bound_of(DECODING, DecodeReads(unknown="its layers are on a GPU"))

    assert (found.by, found.efficiency) == ("decode", None)
    assert sentence(found).endswith("its efficiency is not known: its layers are on a GPU")


def test_with_few_processes_the_efficiency_has_no_interval() -> None:
    found = bound_of(DECODING, processes=3)

    assert found.efficiency is not None
    assert found.efficiency.low is None


def test_a_long_prompt_is_bound_by_computing_with_its_rate() -> None:
    found = bound_of(READING)

    assert found.by == "prefill"
    assert found.flop_per_s == pytest.approx(2 * 1e9 * 300, rel=0.05)
    assert "prefill 75 % of a query" in sentence(found)
    assert "GFLOP/s" in sentence(found)


def with_facts(metrics: list[Metric], **facts: Fact) -> list[Metric]:
    """Every sample of the latency with these."""

    def more(record: TrialRecord) -> TrialRecord:
        columns = {name: (value,) * len(record.samples) for name, value in facts.items()}
        return replace(record, facts={**record.facts, **columns})

    latency, *others = metrics
    return [replace(latency, trials=tuple(map(more, latency.trials))), *others]


@pytest.mark.parametrize(
    ("facts", "by", "words"),
    [
        ({"cpu_pressure": 0.4}, "other-programs", "slowed by other programs: tasks waited for a processor 40.0 %"),
        ({"queue_s": 5.0}, "queueing", "bound by the queries before it"),
        ({"sampling_s": 5.0}, "sampling", "sampling "),
        ({"tokenise_s": 5.0}, "text", "tokenising "),
    ],
)
def test_other_causes_are_named(facts: dict[str, Fact], by: str, words: str) -> None:
    metrics = with_facts(tier("deep", "complex", DECODING), **facts)
    (found,) = bounds_of([*metrics, bandwidth(12 * GB)], {"deep": READS_1GB}, 0.95)

    assert found.by == by
    assert words in sentence(found)


def test_a_two_stage_query_is_bound_by_the_longest_part_of_its_path() -> None:
    (found,) = bounds_of([*two_stage(queries=6)], {}, 0.95)

    assert (found.by, found.part) == ("path", "generation")


def test_a_sliding_window_limits_what_is_looked_back_on() -> None:
    reads = DecodeReads(weights_bytes=1000, kv_row_bytes=10.0, windowed_row_bytes=5.0, window=64)

    assert reads.bytes_at(32) == 1000 + 32 * 10 + 32 * 5
    assert reads.bytes_at(100) == 1000 + 100 * 10 + 64 * 5


def test_a_result_keeps_what_a_token_reads() -> None:
    assert reads_of({READS: {"deep": asdict(READS_1GB)}}) == {"deep": READS_1GB}
    assert reads_of({}) == {}


def test_a_tier_that_misses_its_target_beyond_doubt_has_a_finding() -> None:
    bound = bound_of(DECODING, per_s=12 * GB)

    (finding,) = bound_findings([bound], {"deep": 0.5}, 0.95)
    assert (finding.id, finding.severity, finding.gain) == ("query-bound-by", "high", None)
    assert finding.evidence["bound_by"] == "memory-bandwidth"
    assert "quantisation with fewer bits" in finding.change
    assert 0.8 < finding.evidence["decode_efficiency"]["ratio"] < 1


def test_what_a_crowded_machine_misses_is_not_as_severe() -> None:
    metrics = with_facts(tier("deep", "complex", DECODING), cpu_pressure=0.5)
    (finding,) = bound_findings(bounds_of(metrics, {"deep": READS_1GB}, 0.95), {"deep": 0.5}, 0.95)

    assert finding.severity == "medium"
    assert "end what else runs here" in finding.change


@pytest.mark.parametrize("limits", [{"deep": 9.0}, {"fast": 0.5}, {}])
def test_one_that_does_not_has_none(limits: dict[str, float]) -> None:
    assert bound_findings([bound_of(DECODING)], limits, 0.95) == []


def test_a_brief_sentence_leaves_the_share_to_the_verdict() -> None:
    found = bound_of(DECODING, per_s=10.0)
    assert sentence(found).startswith("decode ")
    assert sentence(found, is_brief=True).startswith("decode, ")
    assert sentence(found).endswith(sentence(found, is_brief=True).removeprefix("decode, "))
