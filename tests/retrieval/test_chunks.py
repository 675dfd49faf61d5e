from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.errors import InputError
from synapse_perf.retrieval.chunks import Chunk, Metadata, metadata_document, read_metadata, split_words

CHUNK = Chunk("guide.md#0", "guide.md", "all the words", 0, 4, 17, "markdown", "2026-01-02T03:04:05+00:00")


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_words_are_joined_with_single_spaces_and_their_place_is_exact() -> None:
    text = "  one\n\ntwo\tthree   four five\n"
    assert split_words(text, size=3, overlap=1) == [("one two three", 2, 16), ("three four five", 11, 28)]


@given(
    st.text(alphabet=st.sampled_from(["a", "b", "\u00e9", "\U0001f600", " ", "\n", "\t", "\u00a0", "\u2028", "\x1c"])),
    st.integers(1, 6),
    st.data(),
)
def test_chunks_hold_every_word_and_repeat_only_the_overlap(text: str, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    pieces = split_words(text, size, overlap)
    # A bare loop over the words, which stops with the chunk that reaches the last one.
    words = text.split()
    expected = []
    for first in range(0, len(words), size - overlap):
        expected.append(" ".join(words[first : first + size]))
        if first + size >= len(words):
            break
    assert [content for content, _, _ in pieces] == expected
    for content, start, end in pieces:
        assert text[start:end].split() == content.split()
        assert text[start:end] == text[start:end].strip()


def test_a_text_without_words_has_no_chunks() -> None:
    assert split_words("") == split_words(" \n\t ") == []


def test_one_giant_line_is_cut_like_any_other_text() -> None:
    pieces = split_words("word " * 200_000)
    assert len(pieces) == 433  # 1 + ceil((200000 - 512) / 462)
    assert sum(len(content.split()) for content, _, _ in pieces) == 200_000 + 432 * 50


@pytest.mark.parametrize(
    ("size", "overlap", "message"),
    [
        (0, 0, "a chunk of 0 words holds no text"),
        (-5, 0, "a chunk of -5 words"),
        (10, 10, "an overlap of 10 words leaves nothing new in a chunk of 10"),
        (10, 11, "an overlap of 11 words"),
        (10, -1, "an overlap of -1 words"),
    ],
)
def test_sizes_with_which_nothing_can_be_cut_are_refused(size: int, overlap: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_words("some text", size, overlap)


def test_metadata_comes_back_as_it_was_written(tmp_path: Path) -> None:
    chunks = [CHUNK, CHUNK._replace(id="caf\u00e9.md#1", content="two \U0001f600", chunk_index=1)]
    path = write(tmp_path / "docs_metadata.json", metadata_document(chunks, "all-MiniLM-L6-v2", 384))
    assert read_metadata(path) == Metadata("all-MiniLM-L6-v2", 384, chunks)


def test_the_document_has_the_fields_of_the_engine() -> None:
    assert metadata_document([CHUNK], "all-MiniLM-L6-v2", 384) == {
        "embedding_model_name": "all-MiniLM-L6-v2",
        "embedding_dim": 384,
        "chunks": [
            {
                "id": "guide.md#0",
                "file_path": "guide.md",
                "content": "all the words",
                "chunk_index": 0,
                "start_pos": 4,
                "end_pos": 17,
                "language": "markdown",
                "modified_time": "2026-01-02T03:04:05+00:00",
                "relevance_score": 0.0,
            }
        ],
    }


def test_the_legacy_form_is_a_bare_list_without_model(tmp_path: Path) -> None:
    path = write(tmp_path / "docs_metadata.json", [{**CHUNK._asdict(), "relevance_score": 0.3}])
    assert read_metadata(path) == Metadata(None, None, [CHUNK])


def test_fields_that_retrieval_can_do_without_may_be_missing(tmp_path: Path) -> None:
    entries = [CHUNK._asdict(), {"id": 7, "content": "no more", "language": None}, {"content": "than this"}]
    chunks = read_metadata(write(tmp_path / "m.json", {"chunks": entries})).chunks
    assert chunks[0] == CHUNK
    assert chunks[1] == Chunk("7", "", "no more", 1, 0, 7, "", "")
    assert chunks[2] == Chunk("2", "", "than this", 2, 0, 9, "", "")


def test_half_a_character_does_not_reach_the_encoder(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", [{"content": "half \ud83d of it"}])
    assert read_metadata(path).chunks[0].content == "half \ufffd of it"


def test_an_index_without_chunks_is_read_as_such(tmp_path: Path) -> None:
    assert read_metadata(write(tmp_path / "m.json", {"chunks": []})) == Metadata(None, None, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ('{"chunks": [{"id": "a", "conte', r"is not JSON \(line 1, column 25\), or was cut off"),
        ("\x80\x81 binary", "is not JSON"),
        ("[" * 200_000, "is not JSON"),
        ('{"models": {}}', "holds no list `chunks`"),
        ('"text"', "holds no list `chunks`"),
        ("null", "holds no list `chunks`"),
        ('{"chunks": {"a": 1}}', "holds no list `chunks`"),
        ('[{"content": "a"}, 3]', r"chunks\[1\] holds no text `content`"),
        ('[{"content": 5}]', r"chunks\[0\] holds no text `content`"),
        ('[{"content": "a", "file_path": 5}]', r"chunks\[0\].file_path is not text"),
        ('[{"content": "a", "chunk_index": true}]', r"chunks\[0\].chunk_index is not a whole number"),
        ('[{"content": "a", "start_pos": "0"}]', r"chunks\[0\].start_pos is not a whole number"),
        ('{"chunks": [], "embedding_dim": "384"}', "embedding_dim is no whole number above 0"),
        ('{"chunks": [], "embedding_dim": true}', "embedding_dim is no whole number above 0"),
        ('{"chunks": [], "embedding_dim": -1}', "embedding_dim is no whole number above 0"),
        ('{"chunks": [], "embedding_model_name": 3}', "embedding_model_name is no text"),
    ],
)
def test_broken_and_foreign_files_are_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "docs_metadata.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=message) as error:
        read_metadata(path)
    assert "docs_metadata.json" in error.value.message
    assert "\n" not in error.value.message
    assert error.value.remedy
    assert gc.isenabled()


def test_missing_file_and_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        read_metadata(tmp_path / "docs_metadata.json")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_metadata(tmp_path)
    with pytest.raises(InputError, match="cannot be read: not a file name"):
        read_metadata("a\0b.json")


def test_a_pickle_is_refused_unopened(tmp_path: Path) -> None:
    path = tmp_path / "docs_metadata.PKL"
    with pytest.raises(InputError, match="a pickle is not read, because opening one runs whatever code is in it"):
        read_metadata(path)  # it does not even exist
