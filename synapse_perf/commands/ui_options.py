"""The options of ui-fps: which browser, and how long it looks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from synapse_perf.commands.options import option

BROWSER = "The browser"


@dataclass(frozen=True, slots=True)
class BrowserOptions:
    """How the page is looked at."""

    seconds: Annotated[
        float | None, option("Of each browser's recording (5).", "--seconds", BROWSER, min=1, max=120)
    ] = None
    chromium: Annotated[
        Path | None, option("The browser (default: the system's Chromium or Chrome).", "--chromium", BROWSER)
    ] = None
    gpu: Annotated[bool, option("Let the browser use the GPU: then what is shown is judged too.", "--gpu", BROWSER)] = (
        False
    )
