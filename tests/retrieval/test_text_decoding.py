from __future__ import annotations

import codecs
import random

import pytest

from synapse_perf.retrieval.text_decoding import NotTextError, decode, without_half_characters

PROSE = "The caf\u00e9 of the na\u00efve fa\u00e7ade \u2013 \u20ac 5. " * 40


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_what_says_its_encoding_is_read_in_it(mark: bytes, encoding: str) -> None:
    assert decode(mark + PROSE.encode(encoding)) == (PROSE, "")


def test_line_ends_of_other_systems_become_plain_ones() -> None:
    assert decode(b"one\r\ntwo\rthree\n") == ("one\ntwo\nthree\n", "")


def test_windows_1252_is_recognised() -> None:
    assert decode(PROSE.encode("cp1252")) == (PROSE, "read as Windows-1252")


def test_one_damaged_character_in_utf8_stays_one() -> None:
    data = PROSE.encode() + b"\xff" + PROSE.encode()
    assert decode(data) == (f"{PROSE}\ufffd{PROSE}", "read with 1 replaced character")


def test_a_cut_off_utf16_file_is_read_up_to_the_cut() -> None:
    text, repair = decode(codecs.BOM_UTF16_LE + PROSE.encode("utf-16-le")[:-1])
    assert (text[:-1], repair) == (PROSE[:-1], "read with 1 replaced character")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x7fELF\x02\x01\x01\0\0\0\0", "binary"),
        (b"text, and then \0", "binary"),
        (random.Random(1).randbytes(4000).replace(b"\0", b"\1"), "no text"),
        (bytes(range(1, 20)) * 100, "no text"),
    ],
)
def test_what_is_no_text_is_told(data: bytes, reason: str) -> None:
    with pytest.raises(NotTextError, match=reason):
        decode(data)


def test_colours_of_a_terminal_are_text() -> None:
    assert decode(b"\x1b[1mbold\x1b[0m\n")[1] == ""


def test_half_characters_are_replaced_and_whole_ones_kept() -> None:
    assert without_half_characters("a\ud83db\U0001f600") == "a\ufffdb\U0001f600"
