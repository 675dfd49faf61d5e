"""Does a page show 60 frames a second, and does its main thread never stand still?"""

from __future__ import annotations

from typing import Annotated

import typer

from synapse_perf.commands.options import CommonOptions
from synapse_perf.commands.ui_options import BrowserOptions


def ui_fps(
    url: Annotated[str | None, typer.Argument(metavar="URL", help="Of the page: http://, https:// or file://.")] = None,
    *,
    browser: BrowserOptions,
    common: CommonOptions,
) -> int:
    """Record the frames of a page in a real browser: what was shown, and how often its main thread stood still."""
    from synapse_perf.commands.conclude import check_outputs, load_baseline
    from synapse_perf.commands.profile_choice import profile_of
    from synapse_perf.commands.ui_request import check_common, check_reached, ui_request
    from synapse_perf.commands.ui_run import UiRun

    check_common(common)
    check_outputs(common)
    baseline = load_baseline(common, "ui-fps")
    profile = profile_of(common)
    request = ui_request(url, browser, profile.ui_fps)
    run = UiRun(profile, request, common)
    if common.dry_run:
        return run.dry_run()
    check_reached(request)
    return run.measure(baseline)
