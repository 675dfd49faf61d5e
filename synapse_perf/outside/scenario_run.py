"""One round of a scenario on an open page; whatever its code does ends as one line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from synapse_perf.outside.opened_page import PageFailed
from synapse_perf.outside.scenario_file import load_scenario, where_in


async def run_scenario(page: Any, path: str, patience_s: float) -> None:
    """Raises PageFailed with the scenario's own line where it fails or takes too long."""
    name = Path(path).name
    try:
        await asyncio.wait_for(load_scenario(path)(page), patience_s)
    except TimeoutError as error:
        raise PageFailed(
            f"{name} takes longer than {patience_s:g} s",
            f"shorten it; it waits at {where_in(path, error) or 'its end'}",
        ) from error
    except Exception as error:
        told = str(error).splitlines() or [type(error).__name__]
        raise PageFailed(f"{name}: {told[0][:160]}", where_in(path, error) or "run it by hand") from error
