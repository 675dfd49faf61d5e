from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from synapse_perf.errors import InputError
from synapse_perf.retrieval.corpus import Corpus, Document, Repaired, Skipped, read_folder
from synapse_perf.retrieval.queries import Query, normalised
from synapse_perf.retrieval.texts import prepare_texts

WORDS = ["index", "memory", "latency", "engine", "query", "vector", "chunk", "page", "cache", "thread", "model"]


def sentence(number: int, words: int = 30) -> str:
    chosen = random.Random(number).choices(WORDS, k=words)
    return f"{' '.join(chosen).capitalize()} n{number}."


def corpus_of(texts: dict[str, str], skipped: Sequence[Skipped] = (), repaired: tuple[Repaired, ...] = ()) -> Corpus:
    documents = [Document(path, text, "markdown", "2026-01-01T00:00:00+00:00") for path, text in texts.items()]
    return Corpus(documents, list(skipped), "folder", "digest", repaired=repaired)


def sections(count: int, start: int = 0) -> str:
    return "\n\n".join(f"## Heading of number {n:04}\n\n{sentence(n)}" for n in range(start, start + count))


def test_held_out_queries_name_the_chunk_that_holds_their_passage_and_are_gone_from_it() -> None:
    corpus = corpus_of({f"{n}.md": sections(20, 20 * n) for n in range(10)})
    texts = prepare_texts(corpus, chunk_words=64, overlap_words=8, count=60)
    chunks = {chunk.id: chunk for chunk in texts.chunks}
    assert len(texts.queries) == 60
    assert texts.query_source == "held out"
    for query in texts.queries:
        number = int(query.text.split()[-1])
        held_by = [chunks[name] for name in query.relevant]
        words = sentence(number).split()
        halves = (" ".join(words[:13]), " ".join(words[-13:]))
        assert any(half in chunk.content for half in halves for chunk in held_by)
        assert all(normalised(query.text) not in normalised(chunk.content) for chunk in texts.chunks)
    untouched = sum(chunk.content.count("## Heading") for chunk in texts.chunks)
    assert untouched >= 200 - 1.5 * 60 - 1  # only what was asked for, and some spare ones, is taken out


def test_chunks_say_where_in_which_file_they_were() -> None:
    text = f"\n {sections(30)}"
    texts = prepare_texts(corpus_of({"a.md": text}), chunk_words=50, overlap_words=10, queries=[Query("any")])
    assert [chunk.id for chunk in texts.chunks[:2]] == ["a.md#0", "a.md#1"]
    for index, chunk in enumerate(texts.chunks):
        assert (chunk.file_path, chunk.chunk_index, chunk.language) == ("a.md", index, "markdown")
        assert chunk.modified_time == "2026-01-01T00:00:00+00:00"
        assert " ".join(text[chunk.start_pos : chunk.end_pos].split()) == chunk.content


def test_a_passage_over_several_chunks_has_all_of_them_as_answers() -> None:
    long = " ".join(sentence(n) for n in range(10))  # 310 words
    texts = prepare_texts(
        corpus_of({"a.md": f"# The long passage\n\n{long}"}), chunk_words=100, overlap_words=0, count=1
    )
    assert texts.queries == [Query("The long passage", ("a.md#0", "a.md#1", "a.md#2", "a.md#3"))]


def test_a_query_whose_words_are_still_in_its_passage_is_left_out() -> None:
    text = f"# Cold start time\n\n{sentence(1)} COLD\n start   time {sentence(2)}\n\n# Warm start time\n\n{sentence(3)}"
    texts = prepare_texts(corpus_of({"a.md": text}), chunk_words=40, overlap_words=0)
    assert [query.text for query in texts.queries] == ["Warm start time"]
    assert texts.warnings == ["1 queries could be taken out of the texts, 200 were asked for"]


def test_headings_that_stand_over_two_passages_ask_for_neither() -> None:
    texts = {
        f"{n}.md": f"# The same heading\n\n{sentence(n)}\n\n# Heading number {n}\n\n{sentence(n + 50)}"
        for n in range(9)
    }
    queries = prepare_texts(corpus_of(texts), count=50).queries
    assert sorted(query.text for query in queries) == [f"Heading number {n}" for n in range(9)]


def test_the_same_seed_gives_the_same_texts_and_another_one_does_not() -> None:
    corpus = corpus_of({f"{n}.md": sections(5, 5 * n) for n in range(40)})
    first, again, other = (prepare_texts(corpus, count=20, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first.digest != other.digest
    assert {query.text for query in first.queries} != {query.text for query in other.queries}
    shuffled = corpus._replace(documents=corpus.documents[::-1])
    assert {query.text for query in prepare_texts(shuffled, count=20, seed=3).queries} == {
        q.text for q in first.queries
    }


def test_queries_are_spread_over_the_documents() -> None:
    corpus = corpus_of({"large.md": sections(500), **{f"{n}.md": sections(1, 1000 + n) for n in range(50)}})
    queries = prepare_texts(corpus, count=30).queries
    assert sum(query.relevant[0].startswith("large.md") for query in queries) <= 3


def test_queries_of_a_file_are_kept_in_order_and_repeated() -> None:
    asked = [
        Query("What is cold?", ("./a.md",)),
        Query("What is warm?", ("b.md#0",)),
        Query("What is cold?", ("a.md",)),
    ]
    corpus = corpus_of({"a.md": sections(4), "b.md": sections(4, 9)})
    texts = prepare_texts(corpus, chunk_words=60, overlap_words=0, queries=asked)
    assert texts.query_source == "file"
    assert [query.text for query in texts.queries] == ["What is cold?", "What is warm?", "What is cold?"]
    assert texts.queries[0].relevant == texts.queries[2].relevant == ("a.md#0", "a.md#1", "a.md#2")
    assert texts.queries[1].relevant == ("b.md#0",)
    assert "## Heading of number 0000" in texts.chunks[0].content  # nothing is taken out for them


def test_labels_that_fit_nothing_are_told() -> None:
    corpus = corpus_of({"a.md": sections(4)})
    texts = prepare_texts(
        corpus, queries=[Query("one", ("a.md", "gone.md")), Query("two", ("lost.md",)), Query("three")]
    )
    assert [query.relevant for query in texts.queries] == [("a.md#0",), (), ()]
    assert texts.warnings == ["2 relevant chunks or files are not indexed; the first is 'gone.md'"]
    with pytest.raises(InputError, match=r"none of the 1 relevant chunks or files is indexed; the first is 'gone\.md'"):
        prepare_texts(corpus, queries=[Query("one", ("gone.md",)), Query("two")])


def test_a_query_that_is_a_whole_chunk_is_refused() -> None:
    corpus = corpus_of({"a.md": sections(3), "b.md": "The whole\ntext of a chunk"})
    with pytest.raises(InputError, match="1 of 2 queries are the whole text of an indexed chunk, and would find it"):
        prepare_texts(corpus, queries=[Query("what is it"), Query("  the whole TEXT of a  chunk")])
    prepare_texts(corpus, queries=[Query("the whole text of a")])


def test_a_corpus_without_anything_to_ask_for_says_what_to_do() -> None:
    with pytest.raises(InputError, match="there is nothing to ask for") as error:
        prepare_texts(corpus_of({"a.md": "word " * 1000}))
    assert error.value.remedy == "give a file of queries with --queries"


@pytest.mark.parametrize(("size", "overlap", "count"), [(0, 0, 1), (10, 10, 1), (10, -1, 1), (10, 2, 0)])
def test_values_out_of_range_are_refused(size: int, overlap: int, count: int) -> None:
    with pytest.raises(InputError):
        prepare_texts(corpus_of({"a.md": sections(3)}), chunk_words=size, overlap_words=overlap, count=count)


def test_warnings_name_damaged_files_and_words_without_end() -> None:
    corpus = corpus_of(
        {"a.md": sections(3), "b.json": "x" * 5000},
        repaired=(Repaired("old.txt", "read as Windows-1252"),),
        skipped=[Skipped("x.png", "unknown file type")],
    )
    texts = prepare_texts(corpus, count=1)
    assert texts.skipped == [Skipped("x.png", "unknown file type")]
    assert texts.warnings == [
        "1 files are damaged or not UTF-8; the first, old.txt, was read as Windows-1252",
        "1 chunks have words of more than 100 characters on average, of which an encoder reads the beginning; "
        "the first is b.json#0",
    ]
    assert prepare_texts(corpus_of({"a.md": sections(3)}), count=1).warnings == []


def test_a_folder_of_all_kinds_goes_through(tmp_path: Path) -> None:
    files = {
        "a.md": f"# Cold start of it\r\n\r\n{sentence(1)}\r\n",
        "b.rst": f"Warm start of it\n================\n\n{sentence(2)}\n",
        "c.html": f"<title>x</title><h1>Page <b>cache</b> of it</h1><p>{sentence(3)}</p>",
        "d.py": f'def f():\n    """Keep the index open.\n\n    {sentence(4)}\n    """\n',
        "e.txt": f"Who keeps the vectors in order? {sentence(5)}",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    texts = prepare_texts(read_folder(tmp_path), count=5)
    assert {query.text: query.relevant for query in texts.queries} == {
        "Cold start of it": ("a.md#0",),
        "Warm start of it": ("b.rst#0",),
        "Page cache of it": ("c.html#0",),
        "Keep the index open.": ("d.py#0",),
        "Who keeps the vectors in order?": ("e.txt#0",),
    }
    contents = {chunk.file_path: chunk.content for chunk in texts.chunks}
    assert contents["a.md"] == sentence(1)
    assert contents["b.rst"] == sentence(2)
    assert contents["c.html"] == sentence(3)
    assert contents["d.py"] == f'def f(): """{sentence(4)} """'
    assert contents["e.txt"] == sentence(5)
