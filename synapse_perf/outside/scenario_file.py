"""What does a user do on the page? A Python file with `async def run(page)`, where page is Playwright's."""

from __future__ import annotations

import ast
import importlib.util
import linecache
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

EXAMPLE = "async def run(page): await page.click('text=Search')"
Scenario = Callable[[Any], Awaitable[None]]


def why_no_scenario(path: Path) -> str | None:
    """What is wrong with the file, without running it; None where nothing is."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except (SyntaxError, ValueError) as error:
        line = f"line {error.lineno}: " if isinstance(error, SyntaxError) and error.lineno else ""
        return f"{line}no Python: {error.msg if isinstance(error, SyntaxError) else error}"
    found = [one for one in tree.body if isinstance(one, ast.AsyncFunctionDef | ast.FunctionDef) and one.name == "run"]
    if not found:
        return "has no function run(page)"
    if not isinstance(found[-1], ast.AsyncFunctionDef):
        return f"line {found[-1].lineno}: run is not async"
    arguments = found[-1].args
    if len(arguments.posonlyargs) + len(arguments.args) != 1:
        return f"line {found[-1].lineno}: run has to take the page, and nothing else"
    return None


def load_scenario(path: str) -> Scenario:
    """Run the file for its function; raises whatever it raises."""
    spec = importlib.util.spec_from_file_location("synapse_perf_scenario", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    scenario: Scenario = module.run
    return scenario


def where_in(path: str, error: BaseException) -> str:
    """``line 4: await page.click(...)``: the scenario's own line that an error came from."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if not lines or lines[-1] is None:
        return ""
    return f"line {lines[-1]}: {linecache.getline(path, lines[-1]).strip()}"
