"""Is the user's file of queries read, and what is wrong with it told in one line?"""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.commands import queries_file
from synapse_perf.commands.queries_file import read_queries_file
from synapse_perf.errors import InputError


def test_the_queries_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text('{"prompt": "What is a page?"}\n', encoding="utf-8")

    (query,) = read_queries_file(path)

    assert (query.prompt, query.tier) == ("What is a page?", "fast")


def test_the_bad_line_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text('{"prompt": "fine"}\noops\n', encoding="utf-8")

    with pytest.raises(InputError, match=r"queries\.jsonl, line 2: not JSON"):
        read_queries_file(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jsonl cannot be read: No such file"):
        read_queries_file(tmp_path / "gone.jsonl")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory"):
        read_queries_file(tmp_path)


def test_a_file_that_is_far_too_large_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries_file, "BYTES_AT_MOST", 1_000_000)
    path = tmp_path / "large"
    path.write_bytes(b" " * 1_000_001)

    with pytest.raises(InputError, match="larger than 1 MB"):
        read_queries_file(path)
