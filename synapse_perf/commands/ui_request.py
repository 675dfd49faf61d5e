"""Which page does ui-fps look at, with which browser, and can it? Wrong input is told before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from synapse_perf.errors import InputError, NothingNamedError

if TYPE_CHECKING:
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.ui_options import BrowserOptions
    from synapse_perf.profiles.ui_settings import UiFpsSettings

SECONDS = 5.0
REACHED_S = 5.0  # a server that needs longer is left to the browser's patience
_EXAMPLE = "such as http://127.0.0.1:5173/"


@dataclass(frozen=True, slots=True)
class UiRequest:
    """One page, checked."""

    url: str
    seconds: float
    chromium: str
    uses_gpu: bool
    scenario: str | None
    leak_rounds: int | None
    is_sample: bool


def ui_request(url: str | None, options: BrowserOptions, profile: UiFpsSettings) -> UiRequest:
    """Raises InputError for what cannot be opened, or where nothing can open it.

    A URL that is given leaves the profile's page out altogether, with its scenario.
    """
    from synapse_perf.outside.browser import BrowserMissing, check_playwright, find_chromium
    from synapse_perf.outside.opened_page import SAMPLE_URL

    is_sample = url is None and profile.url is None and profile.sample
    address = url or profile.url or (SAMPLE_URL if is_sample else None)
    if address is None:
        raise NothingNamedError("ui-fps: no URL is given", f"give the page's address, {_EXAMPLE}")
    address = _address(address)
    is_own = url is not None
    scenario = _scenario(options.scenario, None if is_own else profile.scenario)
    leak = options.leak or (None if is_own else profile.leak)
    if leak and not scenario:
        raise InputError("--leak counts what stays of a scenario, and there is none", "add --scenario FILE")
    named = str(options.chromium) if options.chromium else profile.chromium
    try:
        check_playwright()
        program = find_chromium(named)
    except BrowserMissing as error:
        kind = NothingNamedError if is_sample and not named else InputError
        raise kind(f"ui-fps: {error}", error.remedy) from error
    gpu = profile.gpu if options.gpu is None else options.gpu
    return UiRequest(
        address, options.seconds or profile.seconds or SECONDS, program, gpu, scenario, leak or None, is_sample
    )


def check_common(options: CommonOptions) -> None:
    """Refuse the shared options that a browser cannot heed; within `run` they are for others."""
    from synapse_perf.commands.options import PartOptions

    if isinstance(options, PartOptions):
        return
    if options.flamegraph is not None:
        raise InputError(
            "--flamegraph: the time goes by in the browser", "leave it out; who held the main thread is told without it"
        )
    if options.python is not None:
        raise InputError("--python: no Python of yours is measured here", "leave it out")


def check_reached(request: UiRequest) -> None:
    """Raises InputError where nothing answers, or not with a page: a browser would need half a minute to say so."""
    import urllib.error
    import urllib.request

    if request.is_sample or not request.url.startswith("http"):
        return
    asked = urllib.request.Request(request.url, headers={"Accept": "text/html"})  # noqa: S310 - http(s)
    try:
        with urllib.request.urlopen(asked, timeout=REACHED_S):  # noqa: S310 - http(s)
            return
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404, 410) or error.code >= 500:
            told = f"{request.url} answers with status {error.code}"
            raise InputError(told, "is that the address of the page?") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            raise InputError(f"{request.url}: nothing listens there", "start the server of the page") from error
        if not isinstance(error.reason, TimeoutError):
            words = getattr(error.reason, "strerror", None) or str(error.reason)
            raise InputError(f"{request.url} cannot be reached: {words}", "correct the address") from error
    except OSError:
        return  # whatever a browser makes of it
    except ValueError as error:
        raise InputError(f"{request.url}: {error}", _EXAMPLE) from error


def _address(url: str) -> str:
    """The URL, of a file by its path as well."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and parts.hostname:
        return url
    path = Path(parts.path if parts.scheme == "file" else url).expanduser()
    if parts.scheme in ("file", "") and path.suffix in (".html", ".htm"):
        if not path.is_file():
            raise InputError(f"ui-fps {url}: there is no such file", _EXAMPLE)
        return path.absolute().as_uri()
    raise InputError(f"ui-fps {url}: not the address of a page", _EXAMPLE)


def _scenario(option: Path | None, profile: str | None) -> str | None:
    from synapse_perf.outside.scenario_file import EXAMPLE, why_no_scenario

    if option is None and profile is None:
        return None
    path = Path(option or str(profile)).expanduser().absolute()
    if (why := why_no_scenario(path)) is not None:
        raise InputError(f"--scenario {path.name}: {why}", f"write such as: {EXAMPLE}")
    return str(path)
