"""What messages that were sent late, or pings alone, may say of a target."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.ws_lateness import judged_of_pings
from synapse_perf.model import Check, CheckStatus

CHECK = Check("websocket-latency", "websocket_latency{mode=ping}", "p95", 0.05, "s", 0.004, "pass", "under the limit")


def test_pings_in_time_say_nothing_of_messages() -> None:
    judged = judged_of_pings(CHECK)

    assert (judged.status, judged.observed) == ("not-measured", 0.004)
    assert "--mode echo or event" in judged.reason


@pytest.mark.parametrize("status", ["fail", "inconclusive"])
def test_pings_that_are_late_are_late_messages(status: CheckStatus) -> None:
    late = replace(CHECK, status=status)

    assert judged_of_pings(late) == late
