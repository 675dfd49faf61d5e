"""HTML: the same content as the console, in one file that asks for nothing and lets nothing run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from synapse_perf.report.console import to_console
from synapse_perf.report.document import Axis, Cell, Column, Fields, Paragraph, PlotPoint, Row, Scatter, Section, Table
from synapse_perf.report.html import to_html
from synapse_perf.report.sections import sections_of
from tests.report.every_example import EVERY
from tests.report.examples import full

VOID = {"meta", "line"}


class Page(HTMLParser):
    """What a browser would see: the tags with their attributes, in order, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def tokens(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z0-9][A-Za-z0-9.,%×/'_–-]*[A-Za-z0-9%]", text))


@pytest.mark.parametrize("name", EVERY)
def test_html_and_console_say_the_same(name: str) -> None:
    document = sections_of(EVERY[name]())
    console = re.sub(r"\S*…\S*", "", to_console(document, width=140))
    page = Page(to_html("a run", document))
    assert page.open == []
    assert {word for word in tokens(console) if word not in page.text} == set()


@pytest.mark.parametrize("name", EVERY)
def test_a_page_needs_nothing_and_runs_nothing(name: str) -> None:
    text = to_html("a run", sections_of(EVERY[name]()))
    tags = Page(text).tags
    assert {tag for tag, _ in tags}.isdisjoint({"script", "link", "img", "iframe", "object", "base", "form"})
    names = {attribute for _, attributes in tags for attribute in attributes}
    assert not {one for one in names if one.startswith("on") or one in ("src", "href")}
    assert "url(" not in text
    policy = next(one["content"] for _, one in tags if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert len(text.encode()) < 1_000_000


def test_no_word_of_a_user_is_markup() -> None:
    hostile = '</title><script>alert(1)</script><b onclick="x">&amp;'
    document = (
        Section(
            hostile,
            (
                Paragraph(hostile, "bad", hostile),
                Fields(((hostile, hostile),)),
                Table((Column(hostile),), (Row((Cell(hostile),), hostile),)),
                Scatter(
                    Axis(hostile, ((0.0, hostile),)), Axis(hostile, ((1.0, hostile),)), (PlotPoint(0.5, 0.5, "<"),)
                ),
            ),
        ),
    )
    page = Page(to_html(hostile, document, ((hostile, document),)))
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "b"})
    assert page.text.count(hostile) > 20


def test_the_verdict_is_the_heading_and_parts_are_folded() -> None:
    text = to_html("run", sections_of(full()), (("profile-load", sections_of(full())),))
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("details") == 1
    assert "PASS: 1 target met" in page.text.split("profile-load")[0]
