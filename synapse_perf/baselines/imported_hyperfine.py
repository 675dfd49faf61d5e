"""What does a JSON file of hyperfine hold? Each of its runs is a process of its own."""

from __future__ import annotations

from synapse_perf.baselines.imported_run import imported_result, measured_metric
from synapse_perf.errors import InputError
from synapse_perf.field_errors import short_text
from synapse_perf.model import Json, Result

_TAKEN = ("command", "variant")  # labels with a meaning here: the latter is of arms that no gate judges


def matches(document: Json) -> bool:
    results = document.get("results") if isinstance(document, dict) else None
    return isinstance(results, list) and bool(results) and all(map(_is_command, results))


def _is_command(part: Json) -> bool:
    return isinstance(part, dict) and "command" in part and "times" in part


def convert(document: Json, name: str) -> Result:
    """The wall time of each command, labelled with its parameters where it has some.

    Raises InputError for a command that failed: how soon it gives up says nothing of how fast it is.
    """
    metrics = []
    for each in document["results"]:
        failed = [code for code in each.get("exit_codes", []) if code != 0]
        if failed:
            how = "by a signal" if failed[0] is None else f"with status {failed[0]}"
            told = f"{short_text(each['command'])} ended {how} in {len(failed)} of {len(each['times'])} runs"
            raise InputError(f"{name}: {told}", "mend the command; where that status is meant, end it with: || true")
        parameters = {name: str(value) for name, value in each.get("parameters", {}).items()}
        renamed = {f"parameter_{name}" if name in _TAKEN else name: value for name, value in parameters.items()}
        labels = {"command": str(each["command"]), **renamed}
        metrics.append(measured_metric("command_time", labels, "s", "lower", [[time] for time in each["times"]]))
    return imported_result("hyperfine", metrics)
