from __future__ import annotations

import pytest

from synapse_perf.retrieval.corpus import Document
from synapse_perf.retrieval.passages import Pair, pairs_in

REST = "Every part of the engine keeps its share of the memory until the last query of the day is done and told. "
assert len(REST.split()) >= 20


def pairs(text: str, language: str = "markdown") -> list[Pair]:
    return list(pairs_in(Document("a", text, language, "", ())))


def parts(text: str, language: str = "markdown") -> list[tuple[str, str, str]]:
    """(query, what is cut out, passage) of each pair."""
    return [(pair.query, text[slice(*pair.cut)], text[slice(*pair.passage)].strip()) for pair in pairs(text, language)]


def test_a_heading_stands_over_its_section() -> None:
    text = f"# Cold start of it\n\n{REST}\n\n## Warm **start** of it\n\n{REST}"
    assert parts(text) == [
        ("Cold start of it", "# Cold start of it", REST.strip()),
        ("Warm start of it", "## Warm **start** of it", REST.strip()),
    ]


@pytest.mark.parametrize(
    ("title", "query"),
    [
        ("2.1 Cold start", "Cold start"),
        ("3. The `mmap` of [an index](a.md)", "The mmap of an index"),
        ("A cold start {#cold}", "A cold start"),
        ("![](logo.png) Two words", "Two words"),
    ],
)
def test_marks_links_and_numbers_are_no_part_of_the_query(title: str, query: str) -> None:
    assert [pair.query for pair in pairs(f"# {title}\n\n{REST}")] == [query]


@pytest.mark.parametrize(
    "title", ["Introduction", "Usage", "Getting Started", "See also", "What's new?", "1. Quick start"]
)
def test_generic_headings_ask_for_nothing(title: str) -> None:
    assert title not in [pair.query for pair in pairs(f"# {title}\n\n{REST}\n\n# Cold start\n\n{REST}")]
    assert [pair.query for pair in pairs(f"# {title}\n\n{REST}\n\n# Cold start\n\n{REST}")] == ["Cold start"]


def test_a_heading_over_too_little_text_is_left_out() -> None:
    assert pairs("# Cold start\n\nToo short.\n\n# Warm start\n") == []


def test_the_first_line_of_a_docstring_stands_over_its_body() -> None:
    text = f'''\u00e9 = 1


class Index:
    """\u00c9coute the chunks of a text.

    {REST}
    """

    def add(self):
        r\'\'\'
        Add one
        more chunk.

        {REST}\'\'\'

    def no_body(self):
        """Only a first line."""
        return "# {REST}"
'''
    found = parts(text, "python")
    assert [(query, cut) for query, cut, _ in found] == [
        ("\u00c9coute the chunks of a text.", "\u00c9coute the chunks of a text.\n\n    "),
        ("Add one more chunk.", "Add one\n        more chunk.\n\n        "),
    ]
    assert [passage for _, _, passage in found] == [REST.strip()] * 2


def test_a_long_first_paragraph_gives_its_first_sentence() -> None:
    text = f'"""Keeps the chunks of a text. {REST}{REST}\n\nMore."""'
    assert [query for query, _, _ in parts(text, "python")] == ["Keeps the chunks of a text."]


@pytest.mark.parametrize("text", ["def broken(:", "x = '\0'", "(" * 5000, "if True:\n\tx\n        y"])
def test_source_that_is_no_python_has_no_docstrings(text: str) -> None:
    assert pairs(text, "python") == []


def test_text_without_headings_gives_first_sentences() -> None:
    text = f"The memory of an index is kept. {REST}\n\nshort. line\n\nWho keeps the cold index warm? {REST}"
    assert [(query, passage) for query, _, passage in parts(text, "text")] == [
        ("The memory of an index is kept.", REST.strip()),
        ("Who keeps the cold index warm?", REST.strip()),
    ]


def test_a_giant_paragraph_gives_a_sentence_for_each_of_its_passages() -> None:
    text = "".join(f"The index number {number} is kept. {REST * 8}" for number in range(50))
    found = parts(text, "text")
    assert len(found) > 50  # 50 x 175 words, in passages of 150 or a sentence more
    assert all(120 < len(passage.split()) < 180 for _, _, passage in found[:-1])
    assert text.startswith("".join(text[slice(*pair.cut)] + text[slice(*pair.passage)] for pair in pairs(text, "text")))


def test_code_without_docstrings_gives_the_first_sentences_of_its_comments() -> None:
    code = "function f(a) { return a.map((b) => b * 2).filter((c) => c > 3); }\n"
    text = f"// Doubles what the user\n// has given us. {REST}\n{code}\n{code * 9}"
    assert [query for query, _, _ in parts(text, "javascript")] == ["Doubles what the user has given us."]
    assert pairs(code * 50, "javascript") == []


def test_html_headings_are_those_of_the_document() -> None:
    text = f"Cold start\n\n{REST}"
    document = Document("a.html", text, "html", "", ((0, 10),))
    assert list(pairs_in(document)) == [Pair("Cold start", (0, 10), (10, len(text)))]


def test_one_giant_line_without_sentences_has_no_pairs() -> None:
    assert pairs("word " * 400_000, "text") == pairs("x" * 2_000_000, "json") == pairs(". " * 500_000, "text") == []
