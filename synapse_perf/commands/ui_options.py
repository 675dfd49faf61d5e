"""The options of ui-fps: which browser, how long it looks, and what a user does meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from synapse_perf.commands.options import option

BROWSER, USER = "The browser", "What a user does"


@dataclass(frozen=True, slots=True)
class BrowserOptions:
    """How the page is looked at."""

    seconds: Annotated[
        float | None, option("Of each browser's recording (5).", "--seconds", BROWSER, min=1, max=120)
    ] = None
    chromium: Annotated[
        Path | None, option("The browser (default: the system's Chromium or Chrome).", "--chromium", BROWSER)
    ] = None
    gpu: Annotated[
        bool | None,
        option("Let the browser use the GPU: then the rate that is shown is judged too.", "--gpu/--no-gpu", BROWSER),
    ] = None
    scenario: Annotated[
        Path | None,
        option(
            "A Python file with 'async def run(page)', carried out while the page is recorded; page is Playwright's.",
            "--scenario",
            USER,
            metavar="FILE",
        ),
    ] = None
    leak: Annotated[
        int | None,
        option(
            "Also count what stays of so many rounds of the scenario: nodes, listeners, script memory.",
            "--leak",
            USER,
            metavar="ROUNDS",
            min=4,
            max=1000,
        ),
    ] = None
