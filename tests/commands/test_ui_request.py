"""What do the options of ui-fps and its part of the profile ask for together?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from synapse_perf.commands.ui_options import BrowserOptions
from synapse_perf.commands.ui_request import UiRequest, ui_request
from synapse_perf.errors import InputError, NothingNamedError
from synapse_perf.outside.opened_page import SAMPLE_URL
from synapse_perf.profiles import load_profile
from synapse_perf.profiles.ui_settings import UiFpsSettings

BROWSER = Path(sys.executable)  # any program will do: it is not started here
URL = "http://127.0.0.1:5173/"


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    file = tmp_path / "scenario.py"
    file.write_text("async def run(page): ...\n")
    return file


def request(
    url: str | None = None, profile: UiFpsSettings | None = None, options: BrowserOptions | None = None
) -> UiRequest:
    return ui_request(url, options or BrowserOptions(chromium=BROWSER), profile or UiFpsSettings())


def test_the_profile_names_the_page_and_what_is_done_on_it(scenario: Path) -> None:
    asked = request(profile=UiFpsSettings(url=URL, seconds=9.0, scenario=str(scenario), leak=6, gpu=True))

    assert (asked.url, asked.seconds, asked.leak_rounds, asked.uses_gpu) == (URL, 9.0, 6, True)
    assert asked.scenario == str(scenario)
    assert not asked.is_sample


def test_a_url_of_its_own_leaves_the_profiles_scenario_out(scenario: Path) -> None:
    asked = request(URL, UiFpsSettings(url="http://other/", scenario=str(scenario), leak=6))

    assert (asked.url, asked.scenario, asked.leak_rounds) == (URL, None, None)


def test_an_option_replaces_one_value_of_the_profile() -> None:
    options = BrowserOptions(chromium=BROWSER, seconds=2.0, gpu=False)

    asked = request(profile=UiFpsSettings(url=URL, seconds=9.0, gpu=True), options=options)
    assert (asked.seconds, asked.uses_gpu) == (2.0, False)


def test_the_sample_page_is_taken_where_nothing_else_is_named() -> None:
    asked = request(profile=UiFpsSettings(sample=True))

    assert (asked.url, asked.is_sample) == (SAMPLE_URL, True)
    assert not request(URL, UiFpsSettings(sample=True)).is_sample
    assert not request(profile=UiFpsSettings(sample=True, url=URL)).is_sample


def test_the_sample_needs_a_browser_and_nobody_named_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("synapse_perf.outside.browser.MACOS_PLACES", ())
    with pytest.raises(NothingNamedError, match="there is no Chromium here"):
        request(profile=UiFpsSettings(sample=True), options=BrowserOptions())
    with pytest.raises(InputError, match="there is no Chromium here") as raised:
        request(URL, options=BrowserOptions())
    assert not isinstance(raised.value, NothingNamedError)


def test_a_file_is_a_page_too(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>here")

    assert request(str(page)).url == page.as_uri()
    assert request(page.as_uri()).url == page.as_uri()


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "localhost:5173", "page", "http://", "/no/such/page.html"])
def test_what_is_no_page_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        request(url)


def test_a_profile_file_says_it_all(tmp_path: Path, scenario: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'[ui-fps]\nurl = "{URL}"\nseconds = 8\nscenario = "{scenario.name}"\nleak = 5\n')

    assert load_profile(str(file)).ui_fps == UiFpsSettings(url=URL, seconds=8.0, scenario=str(scenario), leak=5)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("second = 3", "mine.toml:2: 'second' is not known in [ui-fps]"),
        ("seconds = 500", "mine.toml:2: ui-fps.seconds must be from 1 to 120"),
        ("leak = 2", "mine.toml:2: ui-fps.leak must be at least 4"),
    ],
)
def test_a_wrong_line_of_it_is_told(tmp_path: Path, line: str, told: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f"[ui-fps]\n{line}\n")

    with pytest.raises(InputError) as raised:
        load_profile(str(file))
    assert told in raised.value.message
