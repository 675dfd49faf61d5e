"""One page in a browser, opened so that nothing stops the measuring: dialogs, errors, windows, no end of loading.

Raises PageFailed with one line for what makes a measurement worthless.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

from synapse_perf.outside.page_contents import WATCH
from synapse_perf.outside.page_renders import RENDERS
from synapse_perf.outside.page_scripts import ScriptWatch

BLOCKED_S = 20.0  # beyond what a call should take: the page's main thread answers nothing
VIEWPORT = {"width": 1280, "height": 720}
TOLD_AT_MOST = 3
IS_IT_RUNNING = "is its server running?"
SAMPLE_URL = "http://sample.localhost/animated.html"  # of the page that comes with the tool; never asked for outside
Answer = TypeVar("Answer")


class PageFailed(Exception):  # noqa: N818 - says what happened
    """A page that cannot be measured, and in which way."""

    def __init__(self, message: str, remedy: str = "", kind: Literal["error", "time-out", "crash"] = "error") -> None:
        super().__init__(message)
        self.remedy = remedy
        self.kind = kind


class OpenedPage:
    """A tab of its own, from the first blank page on."""

    def __init__(self, page: Any, session: Any, scripts: ScriptWatch) -> None:
        self.page = page
        self.session = session
        self.scripts = scripts
        self._told: dict[str, int] = {}
        page.on("dialog", self._dismiss)
        page.on("pageerror", lambda error: self._note(f"the page throws: {_first_line(error)}"))
        page.context.on("page", self._close_other)

    @classmethod
    async def in_browser(cls, browser: Any) -> OpenedPage:
        context = await browser.new_context(viewport=VIEWPORT)
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        scripts = ScriptWatch(session)
        await session.send("Network.enable")
        await session.send("Performance.enable")
        return cls(page, session, scripts)

    @property
    def warnings(self) -> list[str]:
        """What the page did that a user of it would want to know; how often, where more than once."""
        told = [f"{text} ({count} times)" if count > 1 else text for text, count in self._told.items()]
        more = len(told) - TOLD_AT_MOST
        return told[:TOLD_AT_MOST] + ([f"and {more} more of the page's own errors"] if more > 0 else [])

    async def open(self, url: str, patience_s: float, settle_s: float) -> None:
        """Until it is loaded, or as far as it comes in that time, and a moment longer."""
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as TooLong

        await self.page.add_init_script(f"{WATCH};{RENDERS}")
        if url == SAMPLE_URL:
            await self.page.route(f"{SAMPLE_URL}*", _answer_sample)
        try:
            answer = await self.page.goto(url, wait_until="commit", timeout=patience_s * 1000)
        except TooLong as error:
            raise PageFailed(
                f"the page does not answer within {patience_s:g} s", "open it in a browser by hand", kind="time-out"
            ) from error
        except Error as error:
            if _is_gone(error):
                raise page_failure(error) from error
            word = _network_word(error)
            remedy = "it sends to itself for ever: give the address of a page" if "redirect" in word else IS_IT_RUNNING
            raise PageFailed(f"the page cannot be opened: {word}", remedy) from error
        if answer is not None and answer.status >= 400:
            raise PageFailed(f"the address answers with status {answer.status}", "is that the address of the page?")
        try:
            await self.page.wait_for_load_state("load", timeout=patience_s * 1000)
        except TooLong:
            self._note(f"the page was not loaded after {patience_s:g} s, and is measured as it was then")
        await asyncio.sleep(settle_s)

    async def answered(self, call: Coroutine[Any, Any, Answer], expected_s: float = 0.0) -> Answer:
        """What a call into the page gives; PageFailed where it answers nothing, or is no longer that page."""
        from playwright.async_api import Error

        try:
            return await asyncio.wait_for(call, expected_s + BLOCKED_S)
        except TimeoutError as error:
            raise PageFailed(
                f"the page's main thread answers nothing for {BLOCKED_S:g} s",
                "an endless loop in a script? stop it in the browser's developer tools",
                kind="time-out",
            ) from error
        except Error as error:
            raise page_failure(error) from error

    async def send(self, command: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the browser about the page, in its own protocol."""
        told: dict[str, Any] = await self.answered(self.session.send(command, arguments))
        return told

    async def metrics(self) -> dict[str, float]:
        """The renderer's own counters, by their names."""
        told = await self.send("Performance.getMetrics")
        return {one["name"]: float(one["value"]) for one in told["metrics"]}

    def _note(self, text: str) -> None:
        self._told[text] = self._told.get(text, 0) + 1

    async def _dismiss(self, dialog: Any) -> None:
        from playwright.async_api import Error

        self._note(f"the page opens a dialog ({dialog.type}), which was dismissed")
        with contextlib.suppress(Error):
            await dialog.dismiss()

    async def _close_other(self, other: Any) -> None:
        from playwright.async_api import Error

        if other is not self.page:
            self._note("the page opens another window, which was closed")
            with contextlib.suppress(Error):
                await other.close()


def page_failure(error: Exception) -> PageFailed:
    """What an error of Playwright's means for who measures a page."""
    told = str(error)
    if _is_gone(error):
        return PageFailed("the browser ended while it had the page", "did it crash, or did something end it?", "crash")
    if "Execution context was destroyed" in told or "navigat" in told.lower():
        return PageFailed(
            "the page went to another address while it was recorded",
            "measure the address that it goes to; a scenario has to stay on its page",
        )
    if "crashed" in told:
        return PageFailed("the page crashed", "does it crash in a browser with a window too? is memory left?", "crash")
    return PageFailed(f"the page cannot be recorded: {_first_line(error)}")


def _is_gone(error: Exception) -> bool:
    """Whether the browser, or the connection to it, is no more; told in other words where a page is still opened."""
    return any(
        words in str(error) for words in ("has been closed", "Target closed", "Browser closed", "Connection closed")
    )


def _network_word(error: Exception) -> str:
    """``connection refused`` of ``Page.goto: net::ERR_CONNECTION_REFUSED at http://...``."""
    line = _first_line(error)
    code = line.partition("net::ERR_")[2].partition(" ")[0]
    return code.replace("_", " ").lower() if code else line


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [""])[0][:120]


async def _answer_sample(route: Any) -> None:
    from synapse_perf.outside.sample_page import SAMPLE_PAGE

    await route.fulfill(body=SAMPLE_PAGE, content_type="text/html; charset=utf-8")
