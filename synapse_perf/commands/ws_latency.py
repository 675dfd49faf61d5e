"""How long does a message take over a WebSocket, also where many clients are connected, or the server is busy?"""

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
    from synapse_perf.commands.profile_choice import profile_of
    from synapse_perf.commands.ws_first_look import served, with_mode
    from synapse_perf.commands.ws_process import watched
    from synapse_perf.commands.ws_request import check_common, ws_request
    from synapse_perf.commands.ws_run import WsRun

    check_common(common)
    check_outputs(common)
    baseline = load_baseline(common, "ws-latency")
    profile = profile_of(common)
    request = ws_request(url, messages, profile.ws_latency)
    if common.dry_run:
        return WsRun(profile, request, common).dry_run()
    with served(request) as server:
        found = with_mode(server)
        return WsRun(profile, found, common, watched(found)).measure(baseline)
