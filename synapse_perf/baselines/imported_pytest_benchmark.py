"""What does a JSON file of pytest-benchmark hold? The rounds of each test, all of one process."""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.baselines.imported_run import imported_result, measured_metric, utc_time, with_digest
from synapse_perf.model import Environment, Json, Metric, Result

TOOL = "pytest-benchmark"
SUMMARIES_ONLY = "the file has no rounds, only their median: --benchmark-json and --benchmark-save-data keep them"


def matches(document: Json) -> bool:
    return isinstance(document, dict) and isinstance(document.get("benchmarks"), list) and "machine_info" in document


def convert(document: Json, _name: str) -> Result:
    """The time of each test, named by its path; a file of a run without benchmarks has no metric."""
    benchmarks = document["benchmarks"]
    has_rounds = all("data" in each["stats"] for each in benchmarks)
    return imported_result(
        TOOL,
        [_metric(each) for each in benchmarks],
        started_at=utc_time(document.get("datetime")),
        environment=_environment(document["machine_info"], document.get("commit_info") or {}),
        warnings=() if has_rounds else (SUMMARIES_ONLY,),
    )


def _metric(benchmark: Json) -> Metric:
    stats = benchmark["stats"]
    rounds = stats["data"] if "data" in stats else [stats["median"]]
    return measured_metric("benchmark_time", {"test": str(benchmark["fullname"])}, "s", "lower", [rounds])


def _environment(machine: Mapping[str, Json], commit: Mapping[str, Json]) -> Environment:
    """Without what wobbles (the clock rate of the moment) and without the host's name."""
    cpu = machine.get("cpu") or {}
    hardware = {"architecture": machine.get("machine"), "cpu_model": cpu.get("brand_raw"), "cores": cpu.get("count")}
    python = f"{machine.get('python_implementation', '')} {machine.get('python_version', '')}".strip()
    return Environment(
        with_digest(hardware, TOOL, "cpu_model", "cores"),
        with_digest({"os": machine.get("system"), "python": python}, TOOL),
        {"kernel": machine["release"]} if "release" in machine else {},
        {"revision": commit["id"], "dirty": bool(commit.get("dirty"))} if commit.get("id") else {},
    )
