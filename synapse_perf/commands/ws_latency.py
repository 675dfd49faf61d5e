"""How long does a message take over a WebSocket, also where many clients are connected?"""

from __future__ import annotations

from typing import Annotated

import typer

from synapse_perf.commands.options import CommonOptions
from synapse_perf.commands.ws_options import MessageOptions


def ws_latency(
    url: Annotated[str | None, typer.Argument(metavar="URL", help="ws:// or wss://, with its path.")] = None,
    *,
    messages: MessageOptions,
    common: CommonOptions,
) -> int:
    """Time messages over WebSocket connections, each from the moment at which it was due."""
    from synapse_perf.commands.conclude import check_outputs, load_baseline
    from synapse_perf.commands.ws_request import ws_request
    from synapse_perf.commands.ws_run import WsRun
    from synapse_perf.profiles import load_profile

    check_outputs(common)
    baseline = load_baseline(common, "ws-latency")
    profile = load_profile(common.profile)
    run = WsRun(profile, ws_request(url, messages), common)
    return run.dry_run() if common.dry_run else run.measure(baseline)
