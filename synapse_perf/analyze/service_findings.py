"""What holds the start of a service back?"""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.analyze.load_starts import middle
from synapse_perf.model import Finding, Metric

LARGE_SHARE = 0.5
LONGEST: dict[str, tuple[str, str]] = {
    "create": ("the container engine makes the container", "fewer and smaller mounts and layers"),
    "start": ("the container engine starts the container", "fewer mounts, a simpler network"),
    "spawn": ("the system starts the program", "look at what stands before the service in the command"),
    "first_byte": (
        "the service does not answer at all yet: it imports, connects and sets up",
        "see what it does before it listens; of a Python service: python -X importtime",
    ),
    "ready": (
        "the service answers, and says that it is not ready",
        "see in its health answer what it waits for, and start that earlier or beside it",
    ),
}


def service_findings(metrics: Sequence[Metric]) -> tuple[Finding, ...]:
    """The phase that takes more than half of the start, if there is one."""
    total = next((one for one in metrics if one.name == "service_startup_time"), None)
    phases = [
        one for one in metrics if one.name == "phase_time" and total and one.labels.items() >= total.labels.items()
    ]
    if total is None or not phases:
        return ()
    longest = max(phases, key=middle)
    share = middle(longest) / middle(total) if middle(total) else 0.0
    if share < LARGE_SHARE:
        return ()
    phase = longest.labels["phase"]
    cause, change = LONGEST[phase]
    return (
        Finding(
            "start-phase",
            "medium",
            f"{share:.0%} of the start is one phase, {phase}: {cause}".replace("%", " %"),
            {"phase": phase, "phase_s": middle(longest), "start_s": middle(total), "starts": total.summary.count},
            None,
            change,
            "synapse-perf service-startup again: what this phase takes then",
            "the time from the order to start until the health URL is ready",
        ),
    )
