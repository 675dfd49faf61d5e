"""What the first answer of a user's retriever waits for, and what the probe saw: planted faults, and clean figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.retriever_findings import retriever_findings
from synapse_perf.analyze.retriever_seen import ReadFile, Seen
from synapse_perf.model import Finding, Gain, Metric
from tests.analyze.made_retrievals import state

LIMIT_S = 0.1
SEEN = Seen(
    files=(ReadFile("/home/me/data/index.bin", 5_000_000, "build"), ReadFile("/home/me/data/own.json", 900, "import")),
    imports=(("numpy", 0.05), ("search", 0.01)),
    late_imports=(),
    libraries=("/lib/numpy.libs/libscipy_openblas64_-fdde5778.so",),
    import_s=0.06,
    build_s=0.01,
    first_retrieve_s=0.01,
    next_retrieve_s=0.002,
    is_async=False,
    results=5,
    warnings=(),
)


def measured(
    build_s: float = 0.01, first_s: float = 0.003, later_s: float = 0.002, import_s: float = 0.02, processes: int = 8
) -> list[Metric]:
    stages = {"build": build_s, "first_retrieve": first_s}
    return [
        *state("cold", stages, processes),
        *state("process-cold", {"interpreter": 0.02, "import": import_s, **stages}, processes),
        *(one for one in state("preloaded", {"later": later_s}, processes) if one.labels["stage"] == "total"),
    ]


def found_in(metrics: list[Metric], seen: Seen = SEEN) -> dict[str, Finding]:
    findings = retriever_findings(metrics, seen, LIMIT_S, 0.95)
    by_id = {finding.id: finding for finding in findings}
    assert len(by_id) == len(findings)
    return by_id


def gain_of(finding: Finding) -> Gain:
    gain = finding.gain
    assert gain is not None
    assert gain.low is not None
    assert gain.high is not None
    assert gain.low <= gain.value <= gain.high
    assert gain.measured
    return gain


def test_a_quick_retriever_gives_no_finding() -> None:
    assert found_in(measured()) == {}
    assert found_in([]) == {}


# --- what the factory leaves to the first query ----------------------------------------------------------------------


def test_loading_that_is_left_to_the_first_query_is_found_with_what_preloading_saves() -> None:
    found = found_in(measured(first_s=0.205, later_s=0.003))

    assert set(found) == {"lazy-index"}
    finding = found["lazy-index"]
    assert gain_of(finding).value == pytest.approx(0.202, rel=0.02)
    assert finding.severity == "high"  # without it the limit would be kept
    assert "the first retrieve() takes 205 ms, the next one 3.00 ms" in finding.cause
    assert "importing" not in finding.cause
    assert finding.evidence["factory_s"] == pytest.approx(0.01, rel=0.05)
    assert finding.change
    assert finding.check
    assert "> 0.1" in finding.alert


def test_what_the_factory_loads_is_not_lazy() -> None:
    found = found_in(measured(build_s=0.3, first_s=0.004, later_s=0.003))

    assert set(found) == {"slow-factory"}
    assert gain_of(found["slow-factory"]).value == pytest.approx(0.3, rel=0.02)
    assert found["slow-factory"].severity == "medium"
    assert "of the 304 ms to the first answer" in found["slow-factory"].cause


@pytest.mark.parametrize(
    ("first_s", "later_s", "severity"), [(0.3, 0.15, "medium"), (0.06, 0.002, "medium"), (0.02, 0.002, "low")]
)
def test_how_grave_it_is_is_judged_by_the_limit(first_s: float, later_s: float, severity: str) -> None:
    assert found_in(measured(first_s=first_s, later_s=later_s))["lazy-index"].severity == severity


@pytest.mark.parametrize(
    ("build_s", "first_s", "later_s"),
    [
        pytest.param(0.001, 0.0055, 0.002, id="nobody feels it"),
        pytest.param(0.3, 0.04, 0.002, id="little of the first answer"),
        pytest.param(0.01, 0.2, 0.21, id="as long every time"),
    ],
)
def test_a_first_query_that_is_hardly_longer_is_no_finding(build_s: float, first_s: float, later_s: float) -> None:
    assert "lazy-index" not in found_in(measured(build_s, first_s, later_s))


@pytest.mark.parametrize("build_s", [0.004, 0.04])
def test_a_factory_within_the_limit_is_no_finding(build_s: float) -> None:
    assert "slow-factory" not in found_in(measured(build_s=build_s))


def test_five_processes_are_too_few() -> None:
    assert found_in(measured(build_s=0.3, first_s=0.2, processes=5)) == {}


def test_an_import_at_the_first_query_is_named() -> None:
    seen = replace(SEEN, late_imports=(("torch", 0.35, "first_retrieve"), ("json", 0.3, "build")), first_retrieve_s=0.4)

    finding = found_in(measured(first_s=0.205), seen)["lazy-index"]

    assert "(about 87.5 % of it is importing torch)" in finding.cause
    assert finding.evidence["late_imports_s"] == {"torch": 0.35}


# --- imports ---------------------------------------------------------------------------------------------------------


def test_the_module_that_costs_most_of_a_cold_process_is_named() -> None:
    seen = replace(SEEN, imports=(("torch", 0.9), ("numpy", 0.3)), import_s=1.2)

    finding = found_in(measured(import_s=0.8), seen)["heavy-imports"]

    assert finding.gain == Gain(pytest.approx(0.6, rel=0.02), None, None, "s", measured=False)  # type: ignore[arg-type]
    assert "imports take 800 ms of the 833 ms" in finding.cause
    assert "torch the most: about 600 ms" in finding.cause
    assert "import torch in the function that needs it" in finding.change


@pytest.mark.parametrize(
    ("import_s", "build_s"), [pytest.param(0.05, 0.01, id="short"), pytest.param(0.3, 0.4, id="less than the rest")]
)
def test_imports_that_are_not_most_of_a_start_are_no_finding(import_s: float, build_s: float) -> None:
    assert "heavy-imports" not in found_in(measured(import_s=import_s, build_s=build_s))


def test_data_that_is_read_while_importing_is_found_by_its_name_alone() -> None:
    files = (
        ReadFile("/home/me/data/index.bin", 5_000_000, "import"),
        ReadFile("/home/me/data/texts.json", 200_000, "import"),
        ReadFile("/home/me/data/big.bin", 9_000_000, "build"),
    )

    finding = found_in([], replace(SEEN, files=files))["data-read-on-import"]

    assert "index.bin (4.77 MiB) and 1 more are read while the module is imported" in finding.cause
    assert finding.evidence["files"] == [["index.bin", 5_000_000], ["texts.json", 200_000]]
    assert "/home" not in str(finding)


def test_two_runtimes_in_one_process_are_found_as_in_the_tools_own() -> None:
    libraries = ("/venv/numpy.libs/libopenblas64_.so", "/venv/faiss.libs/libopenblas-r0.so", "/usr/lib/libgomp.so.1")

    finding = found_in([], replace(SEEN, libraries=libraries))["two-openmp-runtimes"]

    assert "2 BLAS runtimes" in finding.cause
    assert "numpy.libs/libopenblas64_.so" in finding.cause
