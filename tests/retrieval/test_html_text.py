from __future__ import annotations

import pytest

from synapse_perf.retrieval.html_text import read_html

PAGE = """<!DOCTYPE html><html><head><title>Guide &mdash; Site</title><style>p > a {color: "<p>"}</style></head>
<body class="a>b"><!-- not > shown --><H1 id=top>Cold <b>st</b>art</H1><script>if (a < b) { "<p>unseen</p>" }</script>
<p>Reads&nbsp;the <a href='x>y'>in</a>dex,<br/>then 3 < 4 &lt;tags&gt;.</p><svg><title>unseen</title><svg/> too</svg>
<h2>Warm start</h2><pre>line
  two</pre><table><tr><td>1</td><td>2</td></tr></table><noscript/>end"""


def test_text_and_headings_are_what_a_reader_sees() -> None:
    text, headings = read_html(PAGE)
    assert text == "Cold start\n\nReads the index, then 3 < 4 <tags>.\n\nWarm start\n\nline two\n\n1 2\n\nend"
    assert [text[start:end] for start, end in headings] == ["Cold start", "Warm start"]


def test_the_title_stands_in_for_a_missing_first_heading() -> None:
    text, headings = read_html("<title>How it\n works</title><p>So.</p>")
    assert text == "How it works\n\nSo."
    assert [text[start:end] for start, end in headings] == ["How it works"]


@pytest.mark.parametrize("page", ["", "<p>", "<script>unseen", "<!-- unseen", "<style>", "<svg>unseen", "</p></svg>"])
def test_a_page_without_text_has_none(page: str) -> None:
    assert read_html(page) == ("", ())


@pytest.mark.parametrize(
    "unit",
    [
        "<a ",
        "<a x='",
        "<!--",
        "<![CDATA[",
        "<?",
        "</",
        "<",
        "&#",
        "<svg>",
        "</script",
        "<a \"'>",
        "<script>x</script",
        "<p/",
    ],
)
def test_damaged_pages_take_linear_time(unit: str) -> None:
    """A quadratic scan would need minutes for these, beyond any limit of a test run."""
    text, _ = read_html("<p>before</p>" + unit * 200_000)
    assert text.startswith("before")


def test_a_quote_that_nothing_closes_does_not_swallow_the_page() -> None:
    text, _ = read_html('<p>one</p><a title="it\'s>two</a><p class="x">three</p>')
    assert "one" in text
    assert "three" in text
