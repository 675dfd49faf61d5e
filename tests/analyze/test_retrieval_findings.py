"""Each fault that is planted in the figures is found with what it costs; figures without one give no finding."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import pytest

from synapse_perf.analyze.retrieval_findings import findings_of
from synapse_perf.model import Finding, Gain, Metric
from tests.analyze.made_retrievals import (
    ANSWER_S,
    LIBRARIES_S,
    around,
    clean,
    openings,
    state,
    warm,
    without,
)

LIMIT_S = 0.1


def found_in(metrics: Sequence[Metric], open_mode: str = "read", confidence: float = 0.95) -> dict[str, Finding]:
    findings = findings_of(metrics, open_mode, LIMIT_S, confidence)
    by_id = {finding.id: finding for finding in findings}
    assert len(by_id) == len(findings)
    return by_id


def gain_of(finding: Finding) -> Gain:
    gain = finding.gain
    assert gain is not None
    assert gain.low is not None
    assert gain.high is not None
    assert (gain.unit, gain.measured) == ("s", True)
    assert gain.low <= gain.value <= gain.high
    return gain


def lazy(open_s: float = 0.08, metadata_s: float = 0.02, **changed_s: float) -> list[Metric]:
    opening = {"open": open_s, "metadata": metadata_s}
    return [*without(clean(), state="cold"), *state("cold", opening | ANSWER_S | changed_s)]


def test_clean_figures_give_no_finding() -> None:
    assert found_in(clean()) == {}
    assert found_in([]) == {}


@pytest.mark.parametrize("processes", [1, 5])
@pytest.mark.parametrize("confidence", [0.95, 0.5])
def test_too_few_processes_give_no_finding(processes: int, confidence: float) -> None:
    metrics = [
        *state("cold", {"open": 0.5, **ANSWER_S}, processes),
        *state("process-cold", LIBRARIES_S | {"import.faiss": 5.0}, processes),
        *warm(processes, search=0.9),
        *warm(processes, search=0.1, variant="omp_threads=1"),
        *openings({"read": (5.0, 0.1), "ifc": (0.001, 0.2)}, processes),
    ]
    assert found_in(metrics, confidence=confidence) == {}


# --- the cold start --------------------------------------------------------------------------------------------------


def test_an_index_that_is_opened_at_the_first_query_is_found_with_what_preloading_saves() -> None:
    metrics = lazy()
    finding = found_in(metrics)["lazy-index"]
    gain = gain_of(finding)

    opening = [
        sum(values)
        for values in zip(around(0.08), around(0.02), strict=True)  # as they were planted, process by process
    ]
    assert gain.value == pytest.approx(statistics.median(opening))
    assert gain.low == pytest.approx(min(opening))
    assert gain.high == pytest.approx(max(opening))
    assert finding.severity == "high"  # without it the limit of 100 ms would be kept
    assert "100 ms of the first retrieval's 111 ms" in finding.cause
    assert finding.evidence["first_retrieval_preloaded_s"] == pytest.approx(0.0013, rel=0.05)
    assert finding.evidence["processes"] == 8
    assert finding.change
    assert finding.check
    assert finding.alert


@pytest.mark.parametrize(
    ("open_s", "changed_s", "severity"),
    [(0.3, {"embed": 0.2}, "medium"), (0.03, {}, "low"), (0.05, {"embed": 0.02}, "medium"), (0.15, {}, "high")],
)
def test_how_grave_it_is_is_judged_by_the_limit(open_s: float, changed_s: dict[str, float], severity: str) -> None:
    metrics = lazy(open_s, 0.001, **changed_s)
    assert found_in(metrics)["lazy-index"].severity == severity


@pytest.mark.parametrize(("open_s", "embed_s"), [(0.004, 0.001), (0.01, 0.2)])
def test_an_opening_that_nobody_feels_is_no_finding(open_s: float, embed_s: float) -> None:
    assert "lazy-index" not in found_in(lazy(open_s, 0.0001, embed=embed_s))


def test_the_states_that_are_not_proven_cold_do_not_hide_those_that_are() -> None:
    stray = state("cold", {"open": 0.0001, "metadata": 0.0001, **ANSWER_S}, 1, cache="uncertified")
    assert gain_of(found_in([*lazy(), *stray])["lazy-index"]).value == pytest.approx(0.1, rel=0.02)


def test_imports_that_dominate_a_cold_process_are_named() -> None:
    metrics = state("process-cold", LIBRARIES_S | {"import.faiss": 0.5, "open": 0.01})
    finding = found_in(metrics)["imports-dominate"]

    assert finding.severity == "info"
    assert "75.2 %" in finding.cause  # 0.7 of 0.93
    assert "faiss the most" in finding.cause
    assert finding.gain is None


# --- the settled process ---------------------------------------------------------------------------------------------


def test_an_embedding_that_dominates_is_said() -> None:
    finding = found_in(warm(embed=0.02))["embedding-dominates"]

    assert finding.severity == "info"
    assert "95.6 %" in finding.cause
    assert finding.evidence["search_s"] == pytest.approx(0.0005, rel=0.01)


def test_threads_that_slow_a_search_are_found_with_the_gain() -> None:
    metrics = [
        *warm(search=0.030),
        *warm(search=0.010, variant="omp_threads=1"),
        *warm(search=0.029, variant="other=1"),
    ]
    finding = found_in(metrics)["omp-threads-per-query"]
    gain = gain_of(finding)

    assert gain.value == pytest.approx(0.02, rel=0.02)
    assert gain.low == pytest.approx(0.02, rel=0.1)
    assert finding.severity == "medium"
    assert "with omp_threads=1 one query's search takes 10.0 ms instead of 30.0 ms" in finding.cause
    assert "faiss.omp_set_num_threads(1)" in finding.change
    assert finding.check == "synapse-perf bench-cgrag --omp-threads 1"


def test_threads_of_the_encoder_are_judged_by_the_embedding() -> None:
    metrics = [*warm(embed=0.030), *warm(embed=0.010, variant="encoder_threads=2")]
    finding = found_in(metrics)["encoder-threads-per-query"]

    assert gain_of(finding).value == pytest.approx(0.02, rel=0.02)
    assert finding.check == "synapse-perf bench-cgrag --threads 2"
    assert "n_threads=2" in finding.change


@pytest.mark.parametrize("search_s", [0.030, 0.040, 0.0298])
def test_threads_that_are_not_faster_beyond_doubt_are_no_finding(search_s: float) -> None:
    metrics = [*warm(search=0.030), *warm(search=search_s, variant="omp_threads=1")]
    assert "omp-threads-per-query" not in found_in(metrics)


def test_of_two_faster_numbers_of_threads_each_is_told_with_its_own_gain() -> None:
    metrics = [
        *warm(search=0.030),
        *warm(search=0.010, variant="omp_threads=1"),
        *warm(search=0.020, variant="omp_threads=2"),
    ]
    findings = [one for one in findings_of(metrics, "read", LIMIT_S, 0.95) if one.id == "omp-threads-per-query"]

    assert [gain_of(one).value for one in findings] == [pytest.approx(0.02, rel=0.05), pytest.approx(0.01, rel=0.05)]


# --- opening ---------------------------------------------------------------------------------------------------------


def test_the_quickest_way_to_open_a_cold_index_is_found_with_the_gain() -> None:
    metrics = openings({"read": (0.3, 0.01), "mmap": (0.29, 0.01), "ifc": (0.001, 3.0), "readahead": (0.08, 0.01)})
    found = found_in(metrics)
    finding = found["open-mode"]

    assert gain_of(finding).value == pytest.approx(0.22, rel=0.02)
    assert "opened with 'readahead', a cold index answers its first search after 89.9 ms" in finding.cause
    assert finding.check == "synapse-perf bench-cgrag --open readahead"
    assert "IO_FLAG_MMAP_IFC" in finding.change
    assert finding.evidence["open_and_first_search_s"]["ifc"] == pytest.approx(3.0, rel=0.02)


def test_a_map_whose_first_search_faults_page_by_page_is_found() -> None:
    found = found_in(openings({"read": (0.08, 0.01), "ifc": (0.001, 3.0)}))

    assert list(found) == ["map-without-read-ahead"]
    assert (
        "opening by map (ifc) takes 1.00 ms, but the first search then 3.00 s" in found["map-without-read-ahead"].cause
    )


@pytest.mark.parametrize(
    "modes",
    [
        {"read": (0.02, 0.001), "ifc": (0.05, 0.05)},  # the one that is set is the best
        {"read": (0.003, 0.001), "ifc": (0.0005, 0.001)},  # faster, but nobody feels it
        {"read": (0.1, 0.01), "ifc": (0.099, 0.01)},  # within the noise
        {"mmap": (0.5, 0.01), "ifc": (0.01, 0.01)},  # the one that is set was not measured
    ],
)
def test_a_way_to_open_that_is_as_good_as_another_is_no_finding(modes: dict[str, tuple[float, float]]) -> None:
    assert found_in(openings(modes)) == {}


def test_the_way_that_is_set_is_what_the_others_are_compared_with() -> None:
    metrics = openings({"read": (0.02, 0.001), "mmap": (0.2, 0.001)})

    assert found_in(metrics, "read") == {}
    assert "instead of 201 ms with 'mmap'" in found_in(metrics, "mmap")["open-mode"].cause
