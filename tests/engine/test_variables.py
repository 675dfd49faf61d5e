"""Variables as compose fills them in: in each form, and from the lines of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.engine.variables import filled, read_env_file

SET = {"A": "one", "B": "two", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("${A}-$B", "one-two"),
        ("$$A costs $$", "$A costs $"),
        ("${NONE}/", "/"),
        ("${EMPTY:-other} ${EMPTY-other}", "other "),
        ("${NONE-other} ${NONE:-${ALSO_NONE:-last}}", "other last"),
        ("${A:?is needed} ${NONE:?is needed}", "one "),
        ("${A:+set} ${EMPTY:+set} ${EMPTY+set}", "set  set"),
        ("50% of $5 and ${1}", "50% of $5 and ${1}"),
    ],
)
def test_each_form_of_a_variable(text: str, becomes: str) -> None:
    assert filled(text, SET) == becomes


def test_the_lines_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTSIDE", "out")
    path = tmp_path / ".env"
    path.write_text(
        "# PLAIN=no\nPLAIN=a b # said why\nexport lower = x\nURL=http://h/#part\nBY=${PLAIN}/$OUTSIDE\n"
        "SINGLE='$PLAIN # kept' # not kept\nDOUBLE=\"$PLAIN # kept\"\nNOTHING=\nHINT= # only a hint\nno variable\n"
    )

    assert read_env_file(path) == {
        "PLAIN": "a b",
        "LOWER": "x",
        "URL": "http://h/#part",
        "BY": "a b/out",
        "SINGLE": "$PLAIN # kept",
        "DOUBLE": "a b # kept",
        "NOTHING": "",
        "HINT": "",
    }


def test_a_file_that_is_not_there_or_no_text_has_none(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"A=\xff\xfe")

    assert read_env_file(tmp_path / "missing") == read_env_file(tmp_path / "bytes") == {}
