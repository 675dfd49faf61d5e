"""What does a page write anew by itself? Planted pages, clean ones, and React's production build, in one browser."""

from __future__ import annotations

import asyncio
import functools

import pytest

from synapse_perf.outside.browser import find_chromium, launched
from synapse_perf.outside.opened_page import OpenedPage
from synapse_perf.outside.page_renders import WATCH_RENDERS, Renders, read_renders
from tests.outside.pages import RENDERS_ANEW, blocked, needs_browser, react_page, react_script, rendering, served

pytestmark = needs_browser
ELEMENTS = 300  # of the list that is built anew
VALUES = """<p id="same" class="on"></p><script>
const line = document.getElementById('same');
setInterval(() => { line.className = 'on'; line.setAttribute('title', 'x'); }, 50);
</script>"""
MOVES = """<ul><li>a</li><li>a</li></ul><script>
setInterval(() => { const list = document.querySelector('ul'); list.append(list.firstChild); }, 50);
</script>"""
CHANGES = f"""let count = 0; setInterval(() => {{ // right before React's own turn
  queueMicrotask(() => {{ document.querySelector('.chip-header').CHANGED = `${{count++}}` }});
  {RENDERS_ANEW} }}, 50)"""
PAGES: dict[str, str | int] = {
    "/same": rendering("the same"),
    "/other": rendering("${count++}"),
    "/values": VALUES,
    "/moves": MOVES,
    "/canvas": blocked(0),
    "/react-still": react_page(""),
    "/react": react_page(f"setInterval(() => {{ {RENDERS_ANEW} }}, 50)"),
    "/react-element": react_page(CHANGES.replace("CHANGED", "textContent")),
    "/react-text": react_page(CHANGES.replace("CHANGED", "firstChild.data")),
    **react_script(),
}


@functools.cache
def watched() -> dict[str, Renders]:
    return asyncio.run(_watched())


async def _watched() -> dict[str, Renders]:
    def ignored(*_: object) -> None:
        pass

    found = {}
    with served(PAGES) as address:
        program = find_chromium()
        async with launched(program, uses_gpu=False, started=ignored, ended=ignored, at_end=ignored) as browser:
            for path in PAGES.keys() - react_script().keys():
                opened = await OpenedPage.in_browser(browser)
                await opened.open(address + path, 20.0, 0.3)
                renders = read_renders(await opened.page.evaluate(WATCH_RENDERS, 400))
                assert renders is not None
                found[path] = renders
                await opened.page.context.close()
    return found


def test_elements_that_are_put_in_again_alike_are_counted_exactly() -> None:
    same = watched()["/same"]

    assert same.rebuilt > 0
    assert same.rebuilt % ELEMENTS == 0
    assert same.rebuilt_in == "ul#rows"
    assert same.rewritten == 0


def test_values_that_are_set_to_what_they_are_are_counted() -> None:
    values = watched()["/values"]

    assert values.rewritten > 0
    assert values.rebuilt == 0


@pytest.mark.parametrize("path", ["/other", "/moves", "/canvas", "/react-still"])
def test_what_changes_the_page_or_stands_still_is_not_for_nothing(path: str) -> None:
    told = watched()[path]

    assert (told.rebuilt, told.rewritten, told.idle_renders) == (0, 0, 0)


def test_react_tells_of_components_that_it_rendered_for_nothing() -> None:
    """Seven a commit, of which two have an effect due in them or below them."""
    told = watched()["/react"]

    assert told.commits > 0
    assert (told.renders, told.idle_renders) == (7 * told.commits, 5 * told.commits)
    assert len(told.components.split(", ")) == 3


@pytest.mark.parametrize("path", ["/react-element", "/react-text"])
def test_a_component_with_a_change_below_it_was_not_rendered_for_nothing(path: str) -> None:
    """Two more have an element with another text below them; the other three have not."""
    told = watched()[path]

    assert told.commits > 0
    assert (told.renders, told.idle_renders) == (7 * told.commits, 3 * told.commits)


def test_what_cannot_be_read_is_not_told() -> None:
    assert read_renders(None) is None
    assert read_renders({"failed": 3, "seconds": 1.0}) is None
