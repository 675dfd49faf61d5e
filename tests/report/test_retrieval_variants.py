"""Another setting beside the reference: the ratio with its interval, and which stage changed."""

from __future__ import annotations

from synapse_perf.report.retrieval_variants import retrieval_variants_section
from tests.report.retrieval_blocks import measured, notes, tables, texts
from tests.report.retrieval_examples import metric, warm


def test_a_variant_stands_under_the_reference_with_its_ratio() -> None:
    section = retrieval_variants_section(measured(*warm(1.5, variant="omp_threads=2"), *warm()))
    rows = tables(section)[0]
    assert [row[0] for row in rows] == ["reference", "omp_threads=2"]
    assert rows[0][-1] == ""
    assert rows[1][-1].startswith("1.50× (1.4")
    assert "warm (n=600 in 6)" in texts(section)
    assert notes(section) == ["clearly changed: embed 18.6 ms to 27.9 ms, search 1.65 ms to 2.48 ms"]


def test_a_variant_that_changes_nothing_has_no_note() -> None:
    assert notes(retrieval_variants_section(measured(*warm(1.001, variant="omp_threads=1"), *warm()))) == []


def test_a_variant_of_a_search_alone_is_compared_by_it() -> None:
    labels = {"state": "warm", "stage": "search"}
    reference = metric("retrieval_latency", labels, [[0.01]] * 6)
    variant = metric("retrieval_latency", {**labels, "variant": "omp_threads=2"}, [[0.02]] * 6)
    assert tables(retrieval_variants_section(measured(reference, variant)))[0][1][-1] == "2.00× (2.00–2.00)"


def test_without_the_reference_there_is_no_ratio() -> None:
    rows = tables(retrieval_variants_section(measured(*warm(variant="omp_threads=2"))))[0]
    assert [row[0] for row in rows] == ["omp_threads=2"]
    assert rows[0][-1] == ""


def test_without_variants_there_is_no_section() -> None:
    assert retrieval_variants_section(measured(*warm())) is None
