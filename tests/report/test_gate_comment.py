"""The comment of a pull request: found again, never too long, and text where names would be more than that."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from synapse_perf.analyze.gate_report import GateReport
from synapse_perf.report.gate_comment import COMMENT_BYTES, MARKER, capped, gate_markdown
from tests.report.hostile import reports
from tests.report.test_gate_document import ALL, report, row

GFM = MarkdownIt("commonmark").enable("table").enable("strikethrough")
TAGS = {"h1", "h2", "p", "ul", "li", "strong", "table", "thead", "tbody", "tr", "th", "td", "em", "code", "pre"}


class Page(HTMLParser):
    """What a browser would make of the comment."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.comments: list[str] = []
        self.feed(GFM.render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert {name for name, _ in attrs} <= {"style"}  # the alignment of columns
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@given(found=reports())
@settings(max_examples=60, deadline=None)
def test_hostile_names_are_text_and_mention_nobody(found: GateReport) -> None:
    page = Page(gate_markdown(found))
    assert page.comments == [MARKER.removeprefix("<!--").removesuffix("-->")]
    assert not re.search(r"[@#]\w", page.text)


def test_every_row_has_as_many_cells_as_the_table_has_columns() -> None:
    page = Page(gate_markdown(ALL))
    assert page.tags.count("td") == len(ALL.rows) * page.tags.count("th")
    assert "REGRESSED" in page.text


def test_the_marker_is_the_first_line_of_every_comment() -> None:
    assert gate_markdown(report()).partition("\n")[0] == MARKER
    assert gate_markdown(ALL).count("<!--") == 1


def test_a_long_report_is_cut_at_a_line_after_the_worst() -> None:
    many = report(*(row("regressed", f"metric_{place}_{'x' * 300}") for place in range(400)))
    text = gate_markdown(many)
    assert COMMENT_BYTES - 1000 < len(text.encode()) <= COMMENT_BYTES
    assert text.startswith(MARKER)
    page = Page(text)
    assert page.text.rstrip().endswith("The log of the job has it whole.")
    assert page.tags.count("td") % page.tags.count("th") == 0


@given(lines=st.lists(st.text(max_size=40)), most=st.integers(0, 400))
def test_cut_text_is_never_longer_and_a_short_one_is_whole(lines: list[str], most: int) -> None:
    text = "\n".join(lines).encode("utf-8", "replace").decode()
    cut = capped(text, most)
    assert len(cut.encode()) <= most
    if len(text.encode()) <= most:
        assert cut == text
