from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from synapse_perf.errors import InputError
from synapse_perf.retrieval.chunks import Chunk, split_words
from synapse_perf.retrieval.queries import (
    Query,
    answered_by,
    normalised,
    queries_for_chunks,
    read_queries,
    self_queries,
)


def chunks_of(texts: dict[str, str], size: int = 60, overlap: int = 10) -> list[Chunk]:
    return [
        Chunk(f"{path}#{index}", path, content, index, start, end, "text", "")
        for path, text in texts.items()
        for index, (content, start, end) in enumerate(split_words(text, size, overlap))
    ]


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_a_text_file_is_one_query_a_line_in_its_order_with_repetitions(tmp_path: Path) -> None:
    path = write(tmp_path / "log.txt", "\ufeffhow to start\r\n\r\n  what is cold \r\nhow to start\n\n")
    assert read_queries(path) == [Query("how to start"), Query("what is cold"), Query("how to start")]


def test_json_lines_carry_what_is_relevant(tmp_path: Path) -> None:
    entries = [
        {"query": "one", "relevant": ["a.md", "b.md#1"]},
        {"query": " two ", "relevant": "a.md", "time": 3},
        {"query": "three", "relevant": [7, "b"]},
        {"query": "one", "relevant": None},
        {"query": "half \ud83d"},
    ]
    path = write(tmp_path / "q.jsonl", "\n".join(json.dumps(entry) for entry in entries))
    assert read_queries(path) == [
        Query("one", ("a.md", "b.md#1")),
        Query("two", ("a.md",)),
        Query("three", ("7", "b")),
        Query("one"),
        Query("half \ufffd"),
    ]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("q.txt", "", "holds no query"),
        ("q.txt", " \n\n", "holds no query"),
        ("q.jsonl", "\n", "holds no query"),
        ("q.txt", b"\x7fELF\0\0", "no file of queries: binary"),
        ("q.txt", "caf\u00e9 au lait\n".encode("cp1252"), "is not UTF-8"),
        ("q.txt", "fine\n" + "x" * 10_001, "line 2: a query of 10,001 characters; 10,000 at most"),
        ("q.jsonl", '{"query": "a"}\n{"query": ', "line 2: not JSON"),
        ("q.jsonl", "[" * 100_000, "line 1: not JSON"),
        ("q.jsonl", '["query"]', 'line 1: no text under "query"'),
        ("q.jsonl", '{"question": "a"}', 'line 1: no text under "query"'),
        ("q.jsonl", '{"query": " "}', 'line 1: no text under "query"'),
        ("q.jsonl", '{"query": "a", "relevant": {"a": 1}}', 'line 1: "relevant" is no list'),
        ("q.jsonl", '{"query": "a", "relevant": [true]}', 'line 1: "relevant" is no list'),
        ("q.parquet", "PAR1", "queries are not read from a .parquet file"),
    ],
)
def test_wrong_files_are_told_in_one_line(tmp_path: Path, name: str, data: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_queries(write(tmp_path / name, data))
    assert name in error.value.message
    assert "\n" not in error.value.message
    assert error.value.remedy


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_queries(tmp_path / "missing.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder, where a file of queries is expected"):
        read_queries(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(InputError, match="is no regular file"):
        read_queries(tmp_path / "pipe.txt")
    with pytest.raises(InputError, match="not a file name"):
        read_queries("a\0.txt")


def test_a_self_query_is_found_whatever_its_white_space_and_case() -> None:
    chunks = chunks_of({"a": "The whole text of A chunk", "b": "another " * 100})
    queries = [Query("the  WHOLE text\nof a chunk"), Query("the whole text"), Query("another")]
    assert self_queries(queries, chunks) == queries[:1]
    assert self_queries([], chunks) == self_queries(queries, []) == []


def prose(name: str, count: int) -> str:
    rest = "It is told how each part of the engine keeps its own share of the memory until the very last query."
    return " ".join(f"The {name} index number {number} is kept open. {rest}" for number in range(count))


def test_queries_for_an_index_name_their_own_chunk_and_no_other_holds_their_words() -> None:
    texts = {name: prose(name, 30) for name in ("alpha", "beta", "gamma")}
    chunks = chunks_of(texts)  # each with a sentence that all of them have
    contents = {chunk.id: normalised(chunk.content) for chunk in chunks}
    queries = queries_for_chunks(chunks, 12, seed=1)
    assert len(queries) == len({query.own for query in queries}) == 12
    for query in queries:
        assert [name for name, content in contents.items() if normalised(query.text) in content] == [query.own]
        assert query.relevant == ()
    assert queries == queries_for_chunks(chunks, 12, seed=1)
    assert queries != queries_for_chunks(chunks, 12, seed=2)


def test_a_sentence_that_the_chunk_beside_it_has_too_is_not_asked_for() -> None:
    chunks = chunks_of({"a": prose("alpha", 4000)}, size=150, overlap=60)  # far more than are looked at
    contents = {chunk.id: normalised(chunk.content) for chunk in chunks}
    queries = queries_for_chunks(chunks, 5)
    assert len(queries) == 5
    for query in queries:
        assert [name for name, content in contents.items() if normalised(query.text) in content] == [query.own]


def test_chunks_that_kept_their_lines_are_asked_for_by_heading() -> None:
    chunk = Chunk("a#0", "a", f"# Cold start of it\n\n{prose('alpha', 4)}", 0, 0, 1, "markdown", "")
    assert queries_for_chunks([chunk], 1) == [Query("Cold start of it", own="a#0")]


def test_chunks_without_sentences_are_asked_for_by_words_from_their_middle() -> None:
    code = "for i in range(10): total[i] = first[i] + second[i] * third[i] - fourth[i] // fifth[i] + sixth[i]"
    chunks = chunks_of({"a.py": code, "b.txt": "only a few words"})
    assert queries_for_chunks(chunks, 5) == [
        Query("in range(10): total[i] = first[i] + second[i] * third[i] - fourth[i] //", own="a.py#0")
    ]


def test_an_index_of_which_nothing_can_be_asked_is_told() -> None:
    for chunks in (chunks_of({"a": prose("alpha", 1), "b": prose("alpha", 1)}), chunks_of({"a": "few words"}), []):
        with pytest.raises(InputError, match=f"none of the {len(chunks)} chunks of the index holds words of its own"):
            queries_for_chunks(chunks, 5)


def test_labels_become_the_ids_of_the_chunks_that_answer() -> None:
    chunks = chunks_of({"./a": prose("alpha", 6), "b": prose("beta", 1)})
    asked = [Query("one", ("./a",)), Query("two", ("b", "b#0", "./b")), Query("three"), Query("four", ("c",))]
    answered, told = answered_by(asked, chunks)
    assert [query.relevant for query in answered] == [tuple(f"./a#{index}" for index in range(4)), ("b#0",), (), ()]
    assert told == ["1 relevant chunks or files are not indexed; the first is 'c'"]
    assert answered_by(asked[:3], chunks)[1] == []
