"""Where is a Chromium, and what does one browser with one page show?

The system's own browser, driven through Playwright; nothing is downloaded. Each one starts with an empty profile, which
goes with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

VARIABLE = "SYNAPSE_PERF_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
MACOS_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ARGUMENTS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


class BrowserMissing(Exception):  # noqa: N818 - says what is missing
    """No browser, or nothing that drives it; `remedy` says what to install."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def find_chromium(given: str | None = None) -> str:
    """The program: the one that is given, that of the environment, or one that is installed."""
    wanted = given or os.environ.get(VARIABLE)
    if wanted:
        found = shutil.which(os.path.expanduser(wanted))  # noqa: PTH111 - a name or a path
        if found is None:
            raise BrowserMissing(f"there is no browser {wanted}", "give the full path of a Chromium or Chrome")
        return found
    for name in NAMES:
        if found := shutil.which(name):
            return found
    for place in MACOS_PLACES:
        if os.access(place, os.X_OK):
            return place
    raise BrowserMissing(
        "there is no Chromium here", "install one (Debian: apt-get install chromium), or --chromium PATH"
    )


def check_playwright() -> None:
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError as error:
        told = "what drives a browser is not installed"
        raise BrowserMissing(told, "pip install 'synapse-perf[ui]'") from error


@contextlib.contextmanager
def launched(program: str, *, uses_gpu: bool) -> Iterator[Any]:
    """A browser without a window; as root it cannot have a sandbox."""
    from playwright.sync_api import sync_playwright

    arguments = [*ARGUMENTS, *([] if uses_gpu else ["--disable-gpu"])]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
