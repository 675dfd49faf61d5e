"""What the facts of an examination mean: each rule at its edges, and silence where nothing is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_perf.analyze.retrieval_doctor import diagnose
from synapse_perf.analyze.retrieval_doctor_process import process_findings
from synapse_perf.model import Finding

RECALL = {"value": 0.97, "low": 0.955, "high": 0.98, "queries": 200, "k": 25}
LOW = {"value": 0.7, "low": 0.66, "high": 0.74, "queries": 200, "k": 25}
UNSURE = {"value": 0.94, "low": 0.91, "high": 0.96, "queries": 200, "k": 25}


def trip(at: int, found: int | None = None, own: float | None = 1.0, best: float | None = 1.0) -> dict[str, Any]:
    found = at if found is None else found
    return {"id": at, "found": found, "own_cosine": own, "best_cosine": best, "same_text": found == at}


def examined(**changes: Any) -> dict[str, Any]:
    """A whole index of lists; `changes` replace parts, and `index` single values of its own."""
    index = {
        "type": "IndexIVFFlat",
        "factory": "IVF100,Flat",
        "ntotal": 100_000,
        "metric": "l2",
        "storage": "exact",
        "nlist": 100,
        "nprobe": 16,
        "training_needed": 3900,
        **changes.pop("index", {}),
    }
    facts = {
        "k": 25,
        "index": index,
        "metadata": {"texts": 100_000, "last_id": 99_999, "model_name": "m", "read_s": 0.5},
        "encoder": {"label": "m f16", "model_name": "m", "is_sample": False},
        "open_s": 0.25,
        "encoder_s": 0.125,
        "vectors": {"share_of_lengths_off": 0.0, "shortest": 1.0, "median_length": 1.0, "longest": 1.0},
        "round_trip": [trip(at) for at in (10, 30, 50, 70, 90)],
        "cut_off": {"limit": 256, "share_of_texts": 0.01, "share_of_tokens": 0.001},
        "threads": {"default": 2, "here": 1, "elsewhere": 2, "one_s": 0.01, "all_s": 0.006, "pairs": 15}
        | {"slower_pairs": 0},
        "runtimes": {"openmp": ["a/libgomp.so"], "blas": ["a/libopenblas.so"]},
    }
    return {**facts, **changes}


def judged(**changes: Any) -> dict[str, Any]:
    return {"truth": "vectors", "recall": RECALL, "search_s": 0.001, "exact_search_s": 0.01, **changes}


def found(seen: dict[str, Any], measured: dict[str, Any], *, is_engine: bool = False) -> dict[str, Finding]:
    return {finding.id: finding for finding in diagnose(seen, measured, "docs.index", is_engine=is_engine)}


def test_a_whole_index_gives_no_finding_at_all() -> None:
    assert found(examined(), judged()) == {}


def test_an_examination_that_saw_nothing_gives_no_finding() -> None:
    assert found({}, {}) == {}


def test_every_finding_that_asks_for_something_fills_every_field() -> None:
    faults = found(
        examined(
            index={"nprobe": 1, "ntotal": 20, "training_needed": 3900},
            metadata={"texts": 25, "last_id": 19, "model_name": None},
            vectors={"share_of_lengths_off": 1.0, "shortest": 2.0, "median_length": 3.0, "longest": 4.0},
            round_trip=[trip(at, at + 1, 0.3, 1.0) for at in range(5)],
            cut_off={"limit": 256, "share_of_texts": 0.9, "share_of_tokens": 0.5},
            threads={"default": 2, "here": 1, "elsewhere": 2, "one_s": 0.001, "all_s": 0.02}
            | {"pairs": 15, "slower_pairs": 15},
        ),
        judged(recall=LOW, exact_search_s=0.0001, share_with_missing=0.5),
        is_engine=True,
    )

    assert len(faults) == 11
    for finding in faults.values():
        assert finding.severity != "info"
        assert all((finding.cause, finding.change, finding.check, finding.alert)), finding.id
        assert finding.evidence["index"] == "docs.index"


# --- the search ------------------------------------------------------------------------------------------------------


def test_one_list_searched_is_no_fault_where_recall_is_good() -> None:
    assert found(examined(index={"nprobe": 1}), judged()) == {}


@pytest.mark.parametrize(("recall", "severity"), [(LOW, "high"), (UNSURE, "low")])
def test_one_list_searched_is_as_bad_as_the_recall_is_surely_low(recall: dict[str, Any], severity: str) -> None:
    assert found(examined(index={"nprobe": 1}), judged(recall=recall))["nprobe-left-at-1"].severity == severity


def test_the_fewest_lists_that_are_enough_are_proposed() -> None:
    steps = [
        {"nprobe": probes, "value": value, "low": value - 0.02, "high": value + 0.01, "search_s": probes * 1e-4}
        for probes, value in ((1, 0.7), (2, 0.85), (4, 0.96), (8, 0.98), (16, 0.99))
    ]

    finding = found(examined(index={"nprobe": 1}), judged(recall=LOW, probes=steps))["nprobe-left-at-1"]

    assert finding.evidence["with_more_lists"]["nprobe"] == 8  # with 4 it may still be below 0.95
    assert finding.gain is not None
    assert finding.gain.value == pytest.approx(0.28)
    assert finding.gain.low == pytest.approx(0.96 - 0.74)


def test_recall_that_may_be_good_is_not_called_low() -> None:
    assert "low-recall" not in found(examined(), judged(recall=UNSURE))
    assert "low-recall" in found(examined(), judged(recall=LOW))


def test_a_graph_is_told_of_its_own_parameter() -> None:
    graph = {"type": "IndexHNSWFlat", "factory": "HNSW32", "ef_search": 16, "storage": "exact", "ntotal": 9000}

    finding = found({"index": {**graph, "metric": "l2"}}, judged(recall=LOW))["low-recall"]

    assert "efSearch = 64" in finding.change


def test_codes_compared_with_themselves_accuse_nobody() -> None:
    codes = {"type": "IndexPQ", "factory": "PQ8", "storage": "coarse", "metric": "l2", "ntotal": 9000}

    assert found({"index": codes}, judged(recall=LOW, truth="decoded")) == {}


@pytest.mark.parametrize(
    ("recall", "exact_s", "severity"), [(LOW, 0.0005, "medium"), (RECALL, 0.0005, "info"), (LOW, 0.002, None)]
)
def test_lists_are_needless_where_an_exact_search_takes_no_time(
    recall: dict[str, Any], exact_s: float, severity: str | None
) -> None:
    finding = found(examined(), judged(recall=recall, exact_search_s=exact_s)).get("ivf-where-flat-is-enough")

    assert (finding and finding.severity) == severity


@pytest.mark.parametrize(("recall", "severity"), [(LOW, "medium"), (RECALL, "info")])
def test_few_training_vectors_are_a_fault_where_recall_suffers(recall: dict[str, Any], severity: str) -> None:
    facts = examined(index={"training_needed": 200_000})

    assert found(facts, judged(recall=recall))["too-few-training-vectors"].severity == severity


def test_a_k_of_exactly_what_there_is_is_no_fault() -> None:
    assert found(examined(k=100_000), judged()) == {}
    assert set(found(examined(k=100_001), judged())) == {"k-above-ntotal"}


# --- the texts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [1, -1, 3])
def test_texts_that_find_a_neighbours_vector_are_shifted(offset: int) -> None:
    trips = [trip(at, at + offset, 0.6, 1.0) for at in (10, 30, 50, 70, 90)]

    cause = found(examined(round_trip=trips), judged())["metadata-shifted"].cause

    assert f"stand {abs(offset)} {'before' if offset > 0 else 'behind'} their vectors:" in cause


def test_a_shift_from_some_place_on_is_told_with_it() -> None:
    trips = [trip(10), trip(30), *(trip(at, at - 1, 0.6, 1.0) for at in (50, 70, 90))]

    assert "between 30 and 50 on" in found(examined(round_trip=trips), judged())["metadata-shifted"].cause


def test_vectors_that_resemble_no_text_are_of_another_encoder() -> None:
    trips = [trip(at, 7, 0.1, 0.3) for at in (10, 30, 50, 70, 90)]

    assert "nothing like" in found(examined(round_trip=trips), judged())["wrong-encoder"].cause


def test_a_text_that_finds_itself_by_chance_does_not_prove_the_encoder() -> None:
    trips = [trip(at, at, 0.3, 0.3) for at in (10, 30, 50, 70, 90)]

    assert "wrong-encoder" in found(examined(round_trip=trips), judged())


def test_vectors_that_nearly_fit_are_of_the_encoder_with_another_setting() -> None:
    """A prefix, or another limit: each text still finds its own vector, but not the same."""
    trips = [trip(at, at, 0.93, 0.93) for at in (10, 30, 50, 70, 90)]

    assert "near to what is stored" in found(examined(round_trip=trips), judged())["wrong-encoder"].cause


def test_a_stand_in_for_the_encoder_is_called_one() -> None:
    trips = [trip(at, 7, 0.1, 0.3) for at in (10, 30, 50, 70, 90)]
    encoder = {"label": "random", "is_sample": True}

    change = found(examined(round_trip=trips, encoder=encoder), judged())["wrong-encoder"].change

    assert "models import DIR" in change


@pytest.mark.parametrize(("failed", "severity"), [(1, "medium"), (2, "medium"), (3, "high")])
def test_some_texts_that_do_not_find_themselves_are_stale(failed: int, severity: str) -> None:
    trips = [trip(at, 7, 0.6, 0.7) if at < failed else trip(at) for at in range(5)]

    assert found(examined(round_trip=trips), judged())["round-trip-fails"].severity == severity


def test_an_encoder_of_fewer_bits_is_the_same_encoder() -> None:
    trips = [trip(at, at, 0.9995, 0.9995) for at in (10, 30, 50, 70, 90)]

    assert found(examined(round_trip=trips), judged()) == {}


def test_coarse_codes_need_only_find_most_texts() -> None:
    coarse = {"storage": "coarse", "metric": "l2"}
    trips = [trip(at, at, 0.6, 0.6) for at in range(4)]

    assert found(examined(index=coarse, round_trip=[*trips, trip(4, 9, 0.6, 0.61)]), judged()) == {}
    assert "wrong-encoder" in found(
        examined(index=coarse, round_trip=[trip(at, 3 * at + 1, 0.1, 0.2) for at in range(5)]), judged()
    )


def test_an_index_that_gives_no_vectors_back_is_judged_by_what_it_finds() -> None:
    trips = [trip(at, at, None, None) for at in range(5)]

    assert found(examined(round_trip=trips, vectors=None), judged()) == {}


def test_a_few_vectors_of_another_length_are_no_fault_but_many_are() -> None:
    lengths = {"shortest": 0.5, "median_length": 1.0, "longest": 1.0}

    assert found(examined(vectors={"share_of_lengths_off": 0.01, **lengths}), judged()) == {}
    assert set(found(examined(vectors={"share_of_lengths_off": 0.02, **lengths}), judged())) == {
        "vectors-not-normalised"
    }


@pytest.mark.parametrize(("share", "severity"), [(0.01, None), (0.1, "info"), (0.3, "medium")])
def test_text_cut_off_is_judged_by_how_much_is_lost(share: float, severity: str | None) -> None:
    cut = {"limit": 256, "share_of_texts": 0.5, "share_of_tokens": share}

    finding = found(examined(cut_off=cut), judged()).get("text-cut-off")

    assert (finding and finding.severity) == severity


def share(value: float) -> dict[str, Any]:
    return {"value": value, "low": max(0.0, value - 0.05), "high": min(1.0, value + 0.05), "of": 200}


@pytest.mark.parametrize(("empty", "severity"), [(0.02, None), (0.1, "low"), (0.6, "medium")])
def test_a_threshold_is_judged_by_the_queries_that_get_nothing(empty: float, severity: str | None) -> None:
    shares = {"empty": share(empty), "one_chunk": share(0.1), "empty_with_lower": share(0.0)}
    contexts = {**shares, "min_relevance": 0.7, "lower_min_relevance": 0.35, "median_best_score": 0.56}

    finding = found(examined(), judged(contexts=contexts)).get("empty-contexts")

    assert (finding and finding.severity) == severity
    assert finding is None or "min_relevance = 0.35" in finding.change


# --- the process and the engine --------------------------------------------------------------------------------------

TWO = {"openmp": ["faiss.libs/libgomp.so", "lib/libgomp.so"], "blas": ["a/libopenblas.so"]}


@pytest.mark.parametrize(("platform", "severity"), [("linux", "info"), ("darwin", "medium")])
def test_two_openmp_runtimes_are_dangerous_where_they_may_abort(platform: str, severity: str) -> None:
    (finding,) = process_findings({"runtimes": TWO}, platform)

    assert (finding.id, finding.severity) == ("two-openmp-runtimes", severity)
    assert "faiss.libs/libgomp.so, lib/libgomp.so" in finding.cause
    assert "libopenblas" not in finding.cause


def test_what_cannot_be_told_is_not_told() -> None:
    assert process_findings({"runtimes": None, "threads": {"default": 1, "here": 1, "elsewhere": 1}}, "darwin") == []


@pytest.mark.parametrize(
    ("one_s", "all_s", "slower", "is_fault"),
    [
        (0.0004, 0.02, 15, True),
        (0.0004, 0.02, 11, False),  # it happens to be slower more often than not
        (0.0001, 0.0009, 15, False),  # nobody feels it
        (0.02, 0.025, 15, False),
    ],
)
def test_threads_are_a_fault_where_they_surely_cost_time(
    one_s: float, all_s: float, slower: int, is_fault: bool
) -> None:
    threads = {"default": 8, "here": 1, "elsewhere": 8, "one_s": one_s, "all_s": all_s, "pairs": 15}

    found_ids = [finding.id for finding in process_findings({"threads": {**threads, "slower_pairs": slower}}, "linux")]

    assert found_ids == (["openmp-threads-per-query"] if is_fault else [])


def test_an_engine_pays_for_each_load_at_every_query() -> None:
    finding = found(examined(), judged(), is_engine=True)["engine-loads-index-on-every-query"]

    assert finding.gain is not None
    assert finding.gain.value == 0.25 + 0.5 + 0.125
