"""How does a browser or a page that cannot be measured become a failure with one line?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from synapse_perf.benchmarks.context import BenchmarkFailed


@contextmanager
def told_failures() -> Iterator[None]:
    """Around all that has to do with the browser."""
    from playwright.async_api import Error

    from synapse_perf.outside.browser import BrowserFailed
    from synapse_perf.outside.opened_page import PageFailed, page_failure

    try:
        yield
    except BrowserFailed as error:
        raise BenchmarkFailed("error", str(error), "give a Chromium with --chromium", error.detail) from error
    except (PageFailed, Error) as error:
        told = error if isinstance(error, PageFailed) else page_failure(error)
        raise BenchmarkFailed(told.kind, str(told), told.remedy) from error
