"""Which earlier result is each command of a run compared with?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from synapse_perf.errors import NotComparableError

if TYPE_CHECKING:
    from synapse_perf.model import Result


def baselines_for(names: Sequence[str], name_or_path: str | None) -> dict[str, Result]:
    """By command; those that the baseline lacks are told, and are compared with nothing.

    Raises NoBaselineError where there is none, and NotComparableError where it holds none of these commands.
    """
    from synapse_perf.baselines import load
    from synapse_perf.model import Suite
    from synapse_perf.results import is_run_name
    from synapse_perf.results.runs import SUITE

    if name_or_path is None:
        return {}
    loaded = load(name_or_path, benchmark=SUITE if is_run_name(name_or_path) else None)
    found: dict[str, Result] = {}
    for result in loaded.results if isinstance(loaded, Suite) else (loaded,):
        found.setdefault(result.benchmark, result)
    missing = [name for name in names if name not in found]
    if len(missing) == len(names):
        held = ", ".join(found) or "no result"
        raise NotComparableError(
            f"{name_or_path} holds {held}, and none of {', '.join(names)}", "name a file that run wrote: run -o FILE"
        )
    for name in missing:
        typer.echo(f"{name_or_path} holds no {name}: it is measured, and compared with nothing", err=True)
    return {name: result for name, result in found.items() if name in names}
