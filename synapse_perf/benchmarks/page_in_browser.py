"""How does a trial get a page in a fresh browser, and how does one that cannot be had become a failure of one line?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context

if TYPE_CHECKING:
    from synapse_perf.outside.opened_page import OpenedPage


@asynccontextmanager
async def fresh_browser(context: Context) -> AsyncIterator[Any]:
    """The browser that the workload names, which ends with this process however that ends."""
    from synapse_perf.outside.browser import launched

    context.stage("starting the browser")
    async with launched(
        context.workload["chromium"],
        uses_gpu=context.workload["uses_gpu"],
        started=context.process_started,
        ended=context.process_ended,
        at_end=context.at_end,
    ) as browser:
        yield browser


async def page_in(browser: Any, context: Context) -> OpenedPage:
    """The page that the workload names, in a tab of its own, settled."""
    from synapse_perf.outside.opened_page import OpenedPage

    workload = context.workload
    context.stage("opening the page")
    opened = await OpenedPage.in_browser(browser)
    await opened.open(workload["url"], workload["patience_s"], workload["settle_s"])
    return opened


@contextmanager
def told_failures() -> Iterator[None]:
    """Around all that has to do with the browser."""
    from playwright.async_api import Error

    from synapse_perf.outside.browser import BrowserFailed
    from synapse_perf.outside.opened_page import PageFailed, page_failure

    try:
        yield
    except BrowserFailed as error:
        remedy = "name another one: --chromium, or chromium in [ui-fps]"
        raise BenchmarkFailed("error", str(error), remedy, error.detail) from error
    except (PageFailed, Error) as error:
        told = error if isinstance(error, PageFailed) else page_failure(error)
        raise BenchmarkFailed(told.kind, str(told), told.remedy) from error
