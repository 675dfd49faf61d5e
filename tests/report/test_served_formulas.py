"""Each figure of a query to a server beside its formula: the parts that are seen from outside add up to it."""

from __future__ import annotations

from synapse_perf.model import Fact, Metric, Result
from synapse_perf.report.document import Fields, Table
from synapse_perf.report.latency_formulas import formulas_section
from synapse_perf.report.latency_runs import Asked
from synapse_perf.report.sections import sections_of
from tests.analyze.made_latencies import metric
from tests.report.latency_examples import result

LABELS = {"tier": "fast", "prefix": "cold", "complexity": "simple"}
PARTS = {"connect": 0.001, "send": 0.002, "first_byte": 0.01, "first_word": 0.087, "chunks": 0.4}


def served(**changed: Fact) -> list[Metric]:
    """One query of half a second, whose 21 tokens came in as many chunks."""
    facts: dict[str, Fact] = {
        **{f"{name}_s": seconds for name, seconds in PARTS.items()},
        "generated_tokens": 21,
        "chunks": 21,
        "server_prefill_s": 0.08,
        "server_decode_s": 0.35,
        **changed,
    }
    told = {name: [[value]] for name, value in facts.items()}
    return [
        metric("query_latency", LABELS, [[0.5]], arm="fast", facts=told),
        metric("time_to_first_token", LABELS, [[0.1]], arm="fast"),
    ]


def fields(shown: Result) -> dict[str, str]:
    made = formulas_section(Asked(shown))
    assert made is not None
    return {name: text for block in made.blocks if isinstance(block, Fields) for name, text in block.rows}


def test_the_total_and_the_first_token_are_sums_of_what_is_seen_from_outside() -> None:
    told = fields(result(*served()))
    before = "connect 1.00 ms + send 2.00 ms + until first byte 10.0 ms + until first word 87.0 ms"
    assert told["total"] == f"500 ms = {before} + after it 400 ms"
    assert told["TTFT"] == f"100 ms = {before}"


def test_the_servers_own_figures_stand_beside_them() -> None:
    assert fields(result(*served()))["its own"] == (
        "the server tells prefill 80.0 ms, decode 350 ms; its stream took 400 ms"
    )
    assert "its own" not in fields(result(*served(server_prefill_s=None, server_decode_s=None)))


def test_rates_are_of_tokens_where_they_are_counted_and_else_of_chunks() -> None:
    rate = metric("decode_rate", LABELS, [[50.0]], arm="fast", unit="1/s", better="higher")
    gap = metric("inter_token_latency", LABELS, [[0.02]], arm="fast")
    counted = fields(result(*served(), rate, gap))
    assert counted["tg"].startswith("50.0/s = (21 - 1) tokens /")
    assert counted["ITL"] == "20.0 ms = the median gap between its 21 chunks, a token each"

    chunks = metric("chunk_rate", LABELS, [[50.0]], arm="fast", unit="1/s", better="higher")
    uncounted = fields(result(*served(generated_tokens=None), chunks))
    assert uncounted["chunks"].startswith("50.0/s = (21 - 1) chunks /")
    assert "tg" not in uncounted


def test_why_there_is_no_rate_is_told() -> None:
    assert fields(result(*served(chunks=3)))["tg"].startswith("none: 21 tokens came in 3 chunks")


def test_chunks_have_a_column_only_where_a_server_does_not_count() -> None:
    def heads(*metrics: Metric) -> set[str]:
        shown = next(one for one in sections_of(result(*metrics)) if one.title == "Latency of a query")
        return {column.title for block in shown.blocks if isinstance(block, Table) for column in block.columns}

    chunks = metric("chunk_rate", LABELS, [[50.0]], arm="fast", unit="1/s", better="higher")
    assert "chunks/s" in heads(*served(), chunks)
    assert "chunks/s" not in heads(*served())


def test_what_an_engine_leaves_out_has_a_formula_too() -> None:
    own = metric("phase_time", {**LABELS, "phase": "engine"}, [[0.4]], arm="simple")
    whole = metric("query_latency", LABELS, [[0.5]], arm="simple")
    assert "processingTimeMs" in fields(result(whole, own))["left out"]
