"""The terminal layout: widths, colour, encodings, hostile texts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from synapse_perf.report.console import to_console
from synapse_perf.report.document import Cell, Column, Document, Fields, Paragraph, Row, Section, Table
from synapse_perf.report.sections import sections_of
from tests.report.every_example import EVERY
from tests.report.examples import full, result, run_metrics

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def one_table(*rows: tuple[str, str], shrink: str = "middle") -> Document:
    columns = (Column("name", shrink="middle" if shrink == "middle" else "wrap"), Column("value", "right"))
    table = Table(columns, tuple(Row((Cell(name), Cell(value))) for name, value in rows))
    return (Section("Things", (table,)),)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 140])
@pytest.mark.parametrize("name", EVERY)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    lines = to_console(sections_of(EVERY[name]()), width=width).splitlines()
    assert [line for line in lines if cell_len(line) > width] == []


@pytest.mark.parametrize("width", [60, 70, 80, 100, 140])
@pytest.mark.parametrize("name", EVERY)
def test_no_text_is_cut_that_may_not_be(name: str, width: int) -> None:
    document = sections_of(EVERY[name]())
    shown = " ".join(to_console(document, width=width).split())
    tables = [block for section in document for block in section.blocks if isinstance(block, Table)]
    for table in tables:
        for row in table.rows:
            for column, cell in zip(table.columns, row.cells, strict=True):
                assert " ".join(cell.text.split()) in shown or column.shrink != "no"


def test_a_table_too_wide_becomes_a_list() -> None:
    columns = tuple(Column(f"column {i}", "right") for i in range(10))
    table = Table(columns, (Row(tuple(Cell(f"value {i}") for i in range(10)), "the note"),))
    text = to_console((Section("Things", (table,)),), width=60)
    assert "column 9 value 9" in " ".join(text.split())
    assert text.rstrip().endswith("the note")


@pytest.mark.parametrize("name", EVERY)
def test_no_line_ends_in_blanks(name: str) -> None:
    text = to_console(sections_of(EVERY[name]()))
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_without_color_there_is_no_escape_sequence() -> None:
    assert "\x1b" not in to_console(sections_of(full()), color=False)


def test_color_adds_nothing_but_color() -> None:
    colored = ESCAPE.sub("", to_console(sections_of(full()), color=True))
    plain = to_console(sections_of(full()), color=False)
    without_rules = [line for line in plain.splitlines() if not re.fullmatch("-+", line)]
    assert [line.rstrip() for line in colored.splitlines()] == without_rules


def test_color_tells_the_verdict() -> None:
    first = to_console(sections_of(full()), color=True).splitlines()[0]
    assert first.startswith("\x1b[1;32mPASS")


@pytest.mark.parametrize("name", EVERY)
def test_ascii_holds_nothing_but_ascii(name: str) -> None:
    assert to_console(sections_of(EVERY[name]()), ascii_only=True).isascii()


def test_a_model_name_cannot_reach_the_terminal_as_a_command() -> None:
    metrics = run_metrics("evil\x1b[2J\x07\u202emodel", "cold")
    text = to_console(sections_of(result(metrics=metrics)))
    assert "evil?[2J??model" in text
    assert all(char == "\n" or char.isprintable() for char in text)


def test_markup_in_a_name_is_text() -> None:
    text = to_console(sections_of(result(metrics=run_metrics("[bold]x[/bold] :smile:", "cold"))))
    assert "[bold]x[/bold] :smile:" in text


def test_a_name_too_long_keeps_both_ends_on_one_line() -> None:
    text = to_console(one_table(("start" + "x" * 100 + "end", "12 s")), width=60)
    line = next(line for line in text.splitlines() if "start" in line)
    assert line.endswith("end   12 s")
    assert "…" in line


def test_a_text_that_wraps_loses_nothing() -> None:
    words = " ".join(f"word{i}" for i in range(30))
    text = to_console(one_table((words, "12 s"), shrink="wrap"), width=60)
    assert all(f"word{i}" in text for i in range(30))


def test_a_column_without_any_text_is_left_out() -> None:
    columns = (Column("name"), Column("empty"), Column("value"))
    table = Table(columns, (Row((Cell("a"), Cell(""), Cell("1"))),))
    assert "empty" not in to_console((Section("Things", (table,)),))


def test_a_note_stands_below_its_row() -> None:
    table = Table((Column("name"),), (Row((Cell("first"),), "about the first"), Row((Cell("second"),))))
    lines = [line.strip() for line in to_console((Section("Things", (table,)),)).splitlines()]
    assert lines[lines.index("first") + 1] == "about the first"
    assert lines[-1] == "second"


def test_no_number_is_parted_from_its_unit() -> None:
    for width in range(60, 140):
        document = (Section("", (Paragraph("the start took 12.5 s and read 2.33 GiB, 95 % of all " * 6),)),)
        lines = to_console(document, width=width).splitlines()
        assert not any(re.search(r"\d$", line) for line in lines)


def test_lines_of_a_field_stay_lines() -> None:
    text = to_console((Section("", (Fields((("change", "Llama(use_mmap=False)\n  --no-mmap"),)),)),))
    assert text == "change  Llama(use_mmap=False)\n          --no-mmap\n"


def test_wide_characters_count_twice() -> None:
    lines = to_console(one_table(("模型" * 40, "12 s"), ("short", "3 s")), width=60).splitlines()
    assert max(cell_len(line) for line in lines) <= 60
    assert sum("模" in line for line in lines) == 1


def test_an_old_width_limit_is_no_reason_to_fail() -> None:
    assert to_console(sections_of(full()), width=1).startswith("PASS")


def test_rendering_does_not_change_the_result() -> None:
    before = full()
    to_console(sections_of(before))
    assert before == replace(full())


def test_numbered_lines_stand_together_and_apart_from_what_explains_one() -> None:
    one, two, three = (Paragraph(name, marker=f"{number}.") for number, name in enumerate(("a", "b", "c"), 1))
    shown = to_console((Section("", (one, Fields((("why", "x"),)), two, three)),))
    assert shown.splitlines() == ["1. a", "why  x", "", "2. b", "3. c"]
