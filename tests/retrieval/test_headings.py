from __future__ import annotations

from synapse_perf.retrieval.headings import Heading, markdown_headings, restructuredtext_headings

MARKDOWN = """---
title: front matter
---
# First one #

Text
- list
---
```python
# no heading
~~~
```
Second of
many lines
===
Third one
---------
   ### Fourth
####### no heading
#no heading
| a | b |
---
"""


def cut_text(text: str, headings: list[Heading]) -> list[str]:
    return [text[slice(*heading.span)] for heading in headings]


def test_markdown_headings_outside_code_lists_and_front_matter() -> None:
    headings = list(markdown_headings(MARKDOWN.replace("Third", "\nThird")))
    assert [heading.title for heading in headings] == ["First one", "Third one", "Fourth"]
    assert cut_text(MARKDOWN.replace("Third", "\nThird"), headings) == [
        "# First one #",
        "Third one\n---------",
        "   ### Fourth",
    ]


def test_a_fence_ends_only_with_its_own_sign() -> None:
    assert list(markdown_headings("````\n```\n# code\n~~~\n")) == []
    assert [heading.title for heading in markdown_headings("````\n# code\n````\n# Title\n")] == ["Title"]


def test_restructuredtext_titles_with_and_without_overline() -> None:
    text = (
        "=====\nFirst\n=====\n\nText\n\nSecond one\n----------\n\nToo long a title\n---\n\n- - -\n\nNo\ntitle\n=====\n"
    )
    headings = list(restructuredtext_headings(text))
    assert [heading.title for heading in headings] == ["First", "Second one"]
    assert cut_text(text, headings) == ["=====\nFirst\n=====", "Second one\n----------"]


def test_one_giant_line_is_no_heading() -> None:
    giant = "# " + "word  " * 200_000
    assert list(markdown_headings(giant)) == []
    assert list(restructuredtext_headings(f"{giant}\n{'=' * len(giant)}")) == []
