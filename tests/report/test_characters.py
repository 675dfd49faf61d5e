from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.report.characters import clean, needs_ascii, shorten_middle, to_ascii, wants_color


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(st.text())
def test_clean_leaves_only_what_prints(text: str) -> None:
    assert all(char == "\n" or char.isprintable() for char in clean(text))


@given(st.text(st.characters(categories=["L", "N", "P"])))
def test_clean_leaves_ordinary_text_alone(text: str) -> None:
    assert clean(text) == text


@given(st.text())
def test_to_ascii_is_ascii(text: str) -> None:
    assert to_ascii(text).isascii()


def test_to_ascii_spells_out_what_reports_use() -> None:
    assert to_ascii("2.90–3.30 s, 5 µs, 1.2×, ≥ 6, é") == "2.90-3.30 s, 5 us, 1.2x, >= 6, e"


@given(st.text(), st.integers(3, 50))
def test_a_shortened_text_fits_and_keeps_its_ends(text: str, limit: int) -> None:
    short = shorten_middle(text, limit)
    assert len(short) <= limit
    if len(text) > limit:
        assert (short[0], short[-1]) == (text[0], text[-1])
    else:
        assert short == text


@pytest.mark.parametrize(
    ("encoding", "expected"), [("utf-8", False), ("UTF8", False), ("ascii", True), ("latin-1", True)]
)
def test_only_unicode_holds_every_character(encoding: str, expected: bool) -> None:
    assert needs_ascii(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) is expected


def test_a_capable_terminal_gets_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert wants_color(Terminal())
    assert not wants_color(io.StringIO())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_color_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    assert not wants_color(Terminal())


def test_an_empty_no_color_means_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "xterm")
    assert wants_color(Terminal())
