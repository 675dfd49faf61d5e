"""The two totals of a first retrieval: every stage with what would be left without it, and a picture."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.report.document import Section, Waterfall
from synapse_perf.report.retrieval_ledger import cold_section
from synapse_perf.report.retrieval_runs import Measured
from tests.report.retrieval_blocks import measured, tables, texts
from tests.report.retrieval_examples import COLD, cold_facts, first_retrieval, full, uncertified


def stages(section: Section | None, table: int = 0) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in tables(section)[table]}


def test_a_row_tells_the_total_without_its_stage() -> None:
    # By hand: the medians are those of processes 3 and 4, so 1.0 times the values; 100 + 300 ms, and 1.6 s of both.
    rows = stages(cold_section(measured(*first_retrieval("cold", {"open": 0.1, "metadata": 0.3}))))
    assert rows["open"][0] == "100 ms"
    assert rows["open"][2:4] == ["25.0 %", "300 ms"]
    assert rows["metadata"][2:4] == ["75.0 %", "100 ms"]
    assert rows["total"][0] == "400 ms"


def test_the_stages_of_the_answer_stand_under_their_sum() -> None:
    rows = stages(cold_section(measured(*first_retrieval("cold", COLD))))
    assert list(rows) == ["open", "metadata", "answer", "embed", "glue", "search", "filter to pack", "total"]
    assert rows["answer"][0] == "50.9 ms"  # 46.4 + 0.03 + 4.12 + 0.044 + 0.277
    assert rows["filter to pack"][0] == "321 µs"


def test_counters_stand_with_the_stage_that_they_were_counted_in() -> None:
    facts = {**cold_facts(30 * 1024**2, 0), "retrieve.major_faults": 17}
    rows = stages(cold_section(measured(*first_retrieval("cold", COLD, facts=facts))))
    assert rows["open"][4:] == ["0", "30.0 MiB"]
    assert rows["answer"][4:] == ["17", "0 B"]
    assert rows["embed"][4:] == ["", ""]


def test_index_cold_and_process_cold_are_two_tables_that_are_not_added() -> None:
    section = cold_section(Measured(full()))
    assert stages(section, 0)["total"][0] == "140 ms"
    assert stages(section, 1)["total"][0] == "540 ms"
    assert "index-cold: all is resident but the index (n=6, all proven cold)" in texts(section)
    assert "Two totals: cgrag-cold judges index-cold." in texts(section)


def test_what_the_tool_itself_needs_is_told_and_in_no_total() -> None:
    section = cold_section(measured(*first_retrieval("process-cold", {"open": 0.1, "harness": 0.05})))
    assert [row[:2] for row in tables(section)[0]] == [["open", "100 ms"], ["total", "100 ms"]]
    assert "This tool's own 50.0 ms are in no total." in texts(section)


def test_the_stages_of_the_answer_are_told_one_by_one_only_once() -> None:
    section = cold_section(Measured(full()))
    assert "embed" in stages(section, 0)
    assert "embed" not in stages(section, 1)
    alone = cold_section(measured(*first_retrieval("process-cold", {**COLD, "residual": 0.01})))
    assert "embed" in stages(alone)


def test_starts_that_could_not_be_proven_cold_say_so() -> None:
    assert "(n=3, not certified cold)" in texts(cold_section(Measured(uncertified())))


def test_starts_of_which_some_were_not_cold_are_counted() -> None:
    total, *stages = first_retrieval("cold", COLD)
    first, *others = total.trials
    mixed = replace(total, trials=(replace(first, facts={"cold_proven": (False,)}), *others))
    assert "5 of 6 proven cold" in texts(cold_section(measured(mixed, *stages)))


def test_the_picture_lays_the_stages_end_to_end_and_leaves_out_the_shortest() -> None:
    section = cold_section(Measured(full()))
    assert section is not None
    block = section.blocks[-1]
    assert isinstance(block, Waterfall)
    index, process = block.lanes
    assert [bar.label for bar in index.bars] == ["open", "metadata", "embed", "search"]
    assert "2 shorter stages are not drawn" in index.total
    for before, after in zip(index.bars, index.bars[1:], strict=False):
        assert after.start >= before.start + before.length - 1e-9
    last = process.bars[-1]
    assert last.kind == "residual"
    assert last.start + last.length == pytest.approx(1.0, abs=1e-6)


def test_without_a_total_there_is_no_ledger_and_the_stages_are_left_for_another_table() -> None:
    found = measured(*first_retrieval("cold", COLD)[1:])
    assert cold_section(found) is None
    assert len(found.left()) == len(COLD)
