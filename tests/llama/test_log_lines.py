"""A log becomes the same lines, whether its callback delivered it or somebody saved it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.llama.log_lines import (
    LEVEL_CONT,
    LEVEL_ERROR,
    LEVEL_INFO,
    LEVEL_WARN,
    LogLine,
    as_text,
    join_fragments,
    read_text,
)


def test_a_line_has_the_time_and_level_of_its_first_fragment() -> None:
    fragments = [(10, LEVEL_INFO, "file size = "), (20, LEVEL_CONT, "3 MiB"), (30, LEVEL_CONT, "\n")]
    assert join_fragments(fragments) == [LogLine(10, LEVEL_INFO, "file size = 3 MiB")]


def test_progress_dots_that_stop_early_do_not_swallow_the_next_line() -> None:
    fragments = [(1, LEVEL_CONT, "."), (2, LEVEL_CONT, "."), (3, LEVEL_INFO, "llama_context: constructing\n")]
    assert join_fragments(fragments) == [
        LogLine(1, LEVEL_CONT, ".."),
        LogLine(3, LEVEL_INFO, "llama_context: constructing"),
    ]


def test_two_pieces_of_one_level_are_one_line() -> None:
    fragments = [(1, LEVEL_INFO, "override 'x' = "), (2, LEVEL_INFO, "true\n")]
    assert join_fragments(fragments) == [LogLine(1, LEVEL_INFO, "override 'x' = true")]


def test_one_fragment_may_hold_several_lines() -> None:
    assert join_fragments([(7, LEVEL_WARN, b"a\n\nb")]) == [
        LogLine(7, LEVEL_WARN, "a"),
        LogLine(7, LEVEL_WARN, ""),
        LogLine(7, LEVEL_WARN, "b"),
    ]


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    assert join_fragments([(1, LEVEL_INFO, b"tok \xff\n")])[0].text == "tok \ufffd"


@given(st.text(st.characters(exclude_characters="\n\r"), max_size=200), st.data())
def test_where_a_line_is_cut_into_fragments_does_not_matter(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    fragments = [(1, LEVEL_INFO, piece) for piece in [*pieces, "\n"]]
    assert [line.text for line in join_fragments(fragments)] == [text]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0.00.012.088 I load: done", LogLine(12_088_000, LEVEL_INFO, "load: done")),
        ("23.41.446.068 E failed", LogLine((23 * 60 + 41) * 10**9 + 446_068_000, LEVEL_ERROR, "failed")),
        ("0.00.572 I short stamp", LogLine(572_000_000, LEVEL_INFO, "short stamp")),
        ("0.00.040.407 I ", LogLine(40_407_000, LEVEL_INFO, "")),
        ("W srv  load_model: no stamp", LogLine(None, LEVEL_WARN, "srv  load_model: no stamp")),
        ("I believe the meaning of life", LogLine(None, None, "I believe the meaning of life")),
        ("llama_context: n_ctx = 512\r", LogLine(None, None, "llama_context: n_ctx = 512")),
        ("chat-1  | llama_context: n_ctx = 512", LogLine(None, None, "llama_context: n_ctx = 512")),
        ("chat-1  | 0.00.001.000 I x", LogLine(1_000_000, LEVEL_INFO, "x")),
        ("\x1b[34m0.00.001.000\x1b[0m \x1b[32mI \x1b[0mx", LogLine(1_000_000, LEVEL_INFO, "x")),
        ("192.168.8.176 - GET /health", LogLine(None, None, "192.168.8.176 - GET /health")),
    ],
)
def test_a_saved_line_is_read_with_its_time_and_level(line: str, expected: LogLine) -> None:
    assert read_text(line + "\n") == [expected]


def test_dots_glued_to_the_next_message_are_taken_off() -> None:
    assert read_text("....0.00.002.000 I llama_context: x\n") == [
        LogLine(None, LEVEL_CONT, "...."),
        LogLine(2_000_000, LEVEL_INFO, "llama_context: x"),
    ]


def test_a_log_in_json_lines_is_read() -> None:
    text = '{"type":"log","time":1500,"level":"warn","msg":"a: b\\n"}\n{"other": 1}\n'
    assert read_text(text) == [LogLine(1_500_000, LEVEL_WARN, "a: b"), LogLine(None, None, '{"other": 1}')]


@given(st.text(max_size=400))
def test_any_text_can_be_read(text: str) -> None:
    assert all("\n" not in line.text for line in read_text(text))


def test_lines_with_times_are_written_as_llama_cpp_writes_them_and_read_again() -> None:
    lines = [
        LogLine(61_002_003_000, 2, "load_tensors: begin"),
        LogLine(62_000_000_000, 3, "a warning"),
        LogLine(None, None, "no time of its own"),
    ]

    text = as_text(lines, origin_ns=1_000_000_000)

    assert text.splitlines() == ["1.00.002.003 I load_tensors: begin", "1.01.000.000 W a warning", "no time of its own"]
    assert [line.text for line in read_text(text)] == [line.text for line in lines]
    assert [line.time_ns for line in read_text(text)] == [60_002_003_000, 61_000_000_000, None]
