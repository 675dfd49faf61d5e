"""Events come out of a stream the same however its bytes are cut, and what is cut off at the end is none."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.outside import event_stream
from synapse_perf.outside.event_stream import Event, EventStream, TooLong

STREAM = (
    '\ufeffdata: {"a": "é"}\r\n\r\n: a comment\n\n'
    'id: 7\ndata:one\rdata: two\r\rerror: {"no": 1}\ndata: last\n\ndata: cut'
)
EVENTS = [Event('{"a": "é"}'), Event("one\ntwo"), Event('{"no": 1}', is_error=True), Event("last")]


@given(st.lists(st.integers(0, len(STREAM.encode()))))
def test_where_it_is_cut_does_not_matter(cuts: list[int]) -> None:
    content, stream = STREAM.encode(), EventStream()
    found: list[Event] = []
    places = [0, *sorted(cuts), len(content)]
    for start, end in itertools.pairwise(places):
        found += stream.feed(content[start:end])
    assert found == EVENTS


def test_bytes_that_are_no_text_are_no_reason_to_stop() -> None:
    assert list(EventStream().feed(b"data: \xff\n\n")) == [Event("\ufffd")]


def test_a_line_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "LONGEST_LINE", 10)
    with pytest.raises(TooLong):
        list(EventStream().feed(b"x" * 11))
