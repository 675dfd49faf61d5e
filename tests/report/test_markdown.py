"""Markdown: the same content as the console, and nothing in a text acts as markup."""

from __future__ import annotations

import re

import pytest

from synapse_perf.report.console import to_console
from synapse_perf.report.document import Cell, Column, Fields, Paragraph, Row, Section, Table
from synapse_perf.report.markdown import escape, to_markdown
from synapse_perf.report.sections import sections_of
from tests.report.every_example import EVERY
from tests.report.examples import full


def words(text: str) -> set[str]:
    """The words of a rendered report, without what only one of the formats draws."""
    text = re.sub(r"\\(.)", r"\1", text)
    return set(re.findall(r"[A-Za-z0-9.,:;%×(){}=<>≥/'_–+-]*[A-Za-z0-9][A-Za-z0-9.,:;%×(){}=<>≥/'_–+-]*", text))


@pytest.mark.parametrize("name", EVERY)
def test_markdown_and_console_say_the_same(name: str) -> None:
    document = sections_of(EVERY[name]())
    console = re.sub(r"\S*…\S*", "", to_console(document, width=140))  # names that its width cuts
    markdown = to_markdown(document)
    shared = {word.rstrip(":") for word in words(markdown)} - {"text", "note"}
    missing = {word for word in words(console) if word.rstrip(":") not in shared}
    assert missing == set()


def test_the_verdict_is_the_heading() -> None:
    assert to_markdown(sections_of(full())).startswith("# PASS: 1 target met")


def test_every_row_of_a_table_has_the_same_number_of_cells() -> None:
    for make in EVERY.values():
        for block in re.findall(r"(?:^\|.*\n)+", to_markdown(sections_of(make())), re.MULTILINE):
            rows = [re.sub(r"\\\|", "", line).count("|") for line in block.splitlines()]
            assert len(set(rows)) == 1


@pytest.mark.parametrize(
    "text", ["a|b", "*a*", "_a_", "<b>", "`a`", "# a", "[a](b)", "a\\", "- a", "1. a", "&amp;", "$a$"]
)
def test_no_sign_acts_as_markup(text: str) -> None:
    escaped = escape(text)
    assert re.sub(r"\\(.)", r"\1", escaped) == text
    assert escaped != text


def test_a_fence_is_longer_than_those_within() -> None:
    text = to_markdown((Section("", (Fields((("change", "```\nls\n```"),)),)),))
    assert text.count("````") == 2


def test_a_line_break_in_a_cell_does_not_end_the_row() -> None:
    table = Table((Column("a"),), (Row((Cell("x\ny"),)),))
    assert "| x y |" in to_markdown((Section("", (table,)),))


def test_ascii_on_request() -> None:
    assert to_markdown((Section("", (Paragraph("5 µs – 6 µs"),)),), ascii_only=True) == "# 5 us - 6 us\n"
