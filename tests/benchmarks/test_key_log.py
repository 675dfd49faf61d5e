"""Which keys and times does a log tell, and how is one told that is none?"""

from __future__ import annotations

import pytest

from synapse_perf.benchmarks.key_log import read_key_log


def test_keys_stand_one_a_line_whatever_they_hold() -> None:
    log = read_key_log("\ufeffWhat is it?\r\n\n  indented\nä, ö\n".encode(), "str")

    assert log.keys == ["What is it?", "  indented", "ä, ö"]
    assert log.span_s is None


@pytest.mark.parametrize(
    "times",
    [
        ("100.5", "110.5"),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:10Z"),
        ("2026-11-23 10:00:00", "2026-11-23 10:00:10"),
    ],
)
def test_times_before_a_tab_tell_how_long_the_log_lasted(times: tuple[str, str]) -> None:
    log = read_key_log("\n".join(f"{time}\tkey {time}" for time in times).encode(), "str")

    assert log.keys == [f"key {time}" for time in times]
    assert log.span_s == 10.0


def test_a_tab_without_a_time_belongs_to_the_key() -> None:
    assert read_key_log(b"a\tb\nc\td\n", "str").keys == ["a\tb", "c\td"]


def test_numbers_are_read_where_keys_are_numbers() -> None:
    assert read_key_log(b"1\n 20\n", "int").keys == [1, 20]


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b"", "str", "it has no key"),
        (b"a\n\xff\n", "str", "line 2: not UTF-8"),
        (b"1\ta\nb\n", "str", "line 2: no time and tab before the key"),
        (b"1\nx\n", "int", "line 2: not a whole number"),
    ],
)
def test_what_is_no_log_is_told_with_its_line(data: bytes, kind: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_key_log(data, kind)
