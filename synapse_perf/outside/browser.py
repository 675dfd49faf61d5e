"""Where is a Chromium, and what does one browser with one page show?

The system's own browser, driven through Playwright; nothing is downloaded. Each one starts with an empty profile, which
goes with it: its folder names the process that owns it, and what a killed one left goes at the next start.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
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
FOLDER = "synapse-perf-browser-"  # followed by the owner's process id
SHORT_ROOT = Path("/tmp")  # noqa: S108 - where the usual place is too deep
ROOT_AT_MOST = 28  # characters: Chromium's own socket lies 80 below it, and 108 is the most that a socket may have
LOOK_S = 0.1  # no longer: an orphan that has ended may stay a zombie, which is no browser any more
REMOVAL_S = 10.0  # a browser that was killed may still be writing into its profile, on a crowded machine for long


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
            where = "" if given else f" (from {VARIABLE})"
            raise BrowserMissing(f"there is no browser {wanted}{where}", "give the full path of a Chromium or Chrome")
        return found
    for name in NAMES:
        if found := shutil.which(name):
            return found
    for place in MACOS_PLACES:
        if os.access(place, os.X_OK):
            return place
    raise BrowserMissing(
        "there is no Chromium here",
        "install one (Debian: apt-get install chromium), or name yours: --chromium, or chromium in [ui-fps]",
    )


def check_playwright() -> None:
    """Raises BrowserMissing where nothing is installed that drives a browser."""
    try:
        import playwright.async_api  # noqa: F401
    except ImportError as error:
        told = "what drives a browser is not installed"
        raise BrowserMissing(told, "pip install 'synapse-perf[ui]'") from error


class BrowserFailed(Exception):  # noqa: N818 - says what happened
    """The browser does not start, or is gone; `detail` has its own words."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


@contextlib.asynccontextmanager
async def launched(
    program: str,
    *,
    uses_gpu: bool,
    started: Callable[[int], None],
    ended: Callable[[int], None],
    at_end: Callable[[Callable[[], None]], None],
) -> AsyncIterator[Any]:
    """A browser without a window; as root it cannot have a sandbox. Raises BrowserFailed where it does not start.

    `started` is told the number of its process, which leads a group of its own, and `ended` when that is gone; `at_end`
    is handed what has to be done where this process ends without coming back here.
    """
    from playwright.async_api import Error, async_playwright

    folder = _own_folder()
    at_end(lambda: _end_all(folder))
    arguments = [*ARGUMENTS, *([] if uses_gpu else ["--disable-gpu"])]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--no-sandbox")
    try:
        with _temporary_files_in(folder):
            playwright = await async_playwright().start()
        try:
            browser, pid = await _start(playwright, program, arguments)
            started(pid)
            try:
                yield browser
            finally:
                with contextlib.suppress(Error):  # one that has crashed is closed already
                    await browser.close()
                ended(pid)
        finally:
            await playwright.stop()
    finally:
        _remove(folder)


async def _start(playwright: Any, program: str, arguments: list[str]) -> tuple[Any, int]:
    """The browser and its process. Signals stay this process's own: Playwright would close the browser on them."""
    from playwright.async_api import Error

    try:
        browser = await playwright.chromium.launch(
            executable_path=program,
            headless=True,
            args=arguments,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
        return browser, await _process_of(browser)
    except Error as error:
        raise BrowserFailed(f"{program} does not start as a browser", str(error)) from error


async def _process_of(browser: Any) -> int:
    session = await browser.new_browser_cdp_session()
    told = await session.send("SystemInfo.getProcessInfo")
    await session.detach()
    return next(int(one["id"]) for one in told["processInfo"] if one["type"] == "browser")


async def draws_in_software(browser: Any) -> bool:
    """What the browser itself says: a GPU that it was allowed need not be one that it can use."""
    session = await browser.new_browser_cdp_session()
    told = await session.send("SystemInfo.getInfo")
    await session.detach()
    status = told["gpu"].get("featureStatus", {})
    return not str(status.get("gpu_compositing", "disabled")).startswith("enabled")


def _own_folder() -> Path:
    """For the profile and all else that the browser writes."""
    _sweep()
    return Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-", dir=_root()))


def _root() -> Path:
    usual = Path(tempfile.gettempdir())
    return SHORT_ROOT if len(str(usual)) > ROOT_AT_MOST and os.access(SHORT_ROOT, os.W_OK) else usual


@contextlib.contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """For what is started within."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


def _sweep() -> None:
    """Remove the folders of processes that are gone."""
    import psutil

    for folder in _root().glob(f"{FOLDER}*"):
        owner = folder.name.removeprefix(FOLDER).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _end_all(folder: Path) -> None:
    """End what drives the browser, and a browser that is still starting: it would make the folder anew."""
    import psutil

    deadline_s = time.monotonic() + REMOVAL_S
    while time.monotonic() < deadline_s:
        found = [*psutil.Process().children(recursive=True), *_running_in(folder)]
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=LOOK_S)
    _remove(folder)


def _running_in(folder: Path) -> list[Any]:
    """The browsers with that folder: one that has outlived what started it is nobody's child.

    By an option (``--user-data-dir=``, ``--database=``), so that nobody who merely looks into the folder is ended.
    """
    import psutil

    running = psutil.process_iter(["cmdline"])
    options = ((one, word) for one in running for word in one.info["cmdline"] or () if word.startswith("--"))
    return list({one.pid: one for one, word in options if f"={folder}" in word}.values())


def _remove(folder: Path) -> None:
    deadline_s = time.monotonic() + REMOVAL_S
    while folder.exists() and time.monotonic() < deadline_s:
        shutil.rmtree(folder, ignore_errors=True)
