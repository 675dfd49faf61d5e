"""Is a file a scenario? It is told what is wrong without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.outside.scenario_file import why_no_scenario


def test_an_async_function_of_the_page_is_one(tmp_path: Path) -> None:
    file = tmp_path / "scenario.py"
    file.write_text("raise SystemExit\nasync def run(page):\n    await page.click('a')\n")

    assert why_no_scenario(file) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def run(page): pass", "line 1: run is not async"),
        ("async def walk(page): pass", "has no function run(page)"),
        ("async def run(): pass", "line 1: run has to take the page, and nothing else"),
        ("async def run(page):\n  await (", "line 2: no Python: '(' was never closed"),
        ("\0", "no Python: source code string cannot contain null bytes"),
    ],
)
def test_what_is_none_is_told(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "scenario.py"
    file.write_text(text)

    assert why_no_scenario(file) == why


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert why_no_scenario(tmp_path / "none.py") == "cannot be read: No such file or directory"
