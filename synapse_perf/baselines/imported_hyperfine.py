"""What does a JSON file of hyperfine hold? Each of its runs is a process of its own."""

from __future__ import annotations

from synapse_perf.baselines.imported_run import imported_result, measured_metric
from synapse_perf.model import Json, Result


def matches(document: Json) -> bool:
    results = document.get("results") if isinstance(document, dict) else None
    return (
        isinstance(results, list) and bool(results) and all("command" in each and "times" in each for each in results)
    )


def convert(document: Json, _name: str) -> Result:
    """The wall time of each command, labelled with its parameters where it has some."""
    metrics = []
    for each in document["results"]:
        labels = {
            "command": str(each["command"]),
            **{name: str(value) for name, value in each.get("parameters", {}).items()},
        }
        groups = [[float(time)] for time in each["times"]]
        metrics.append(measured_metric("command_time", labels, "s", "lower", groups))
    return imported_result("hyperfine", metrics)
