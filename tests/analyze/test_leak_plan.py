"""Which looks follow which, and what do their rows say?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.leak_plan import Hunt, look_spec, next_look
from synapse_perf.analyze.leak_rows import UNTRIMMED, decisive, leak_metrics, leaks_of, levels_of, levels_of_metric
from synapse_perf.benchmarks.leak_loop import METRICS
from synapse_perf.model import Failure, Leak, Trial
from tests.analyze.made_leaks import FREE_BYTES, HUNT, KB, SAMPLES, filling, leaking, trial

FLAT = [0.0] * (SAMPLES[0] + 1)
GROWN = leaking(100 * KB, SAMPLES[0] + 1)


def following(*trials: Trial, hunts: tuple[Hunt, ...] = (HUNT,), max_time_s: float = 100.0) -> tuple[str, str] | None:
    """The hunt and the arm of the next trial."""
    spec = next_look(hunts, max_time_s)(trials)
    return None if spec is None else (spec.labels["hunt"], spec.arm)


def row(trial: Trial, probe: str, untrimmed: Trial | None = None) -> Leak:
    return next(leak for leak in leaks_of(trial, untrimmed) if f"probe={probe}" in leak.metric)


# --- looks -----------------------------------------------------------------------------------------------------------


def test_a_clean_hunt_ends_after_its_first_look() -> None:
    assert following() == ("app:work", "look 1")
    assert following(trial({"heap": FLAT})) is None


def test_growth_is_looked_at_twice_as_long_in_another_process() -> None:
    spec = next_look([HUNT], 100.0)((trial({"heap": GROWN}),))

    assert spec is not None
    assert (spec.arm, spec.samples) == ("look 2", SAMPLES[1])


def test_growth_in_the_second_look_gets_a_third_and_what_still_grows_there_a_fourth() -> None:
    first, filled = trial({"heap": GROWN}), filling(SAMPLES[2] + 1, 35)
    for levels in (leaking(100 * KB, SAMPLES[1] + 1), filling(SAMPLES[1] + 1, 35)):
        assert following(first, second := trial({"heap": levels}, arm="look 2")) == ("app:work", "look 3")
        assert following(first, second, trial({"heap": filled}, arm="look 3")) is None
        third = trial({"heap": leaking(1e5, SAMPLES[2] + 1)}, arm="look 3")
        assert following(first, second, third) == ("app:work", "look 4")
        assert following(first, second, third, trial({"heap": leaking(1e5, SAMPLES[3] + 1)}, arm="look 4")) is None


def test_no_look_is_begun_that_would_fill_the_memory() -> None:
    """What grew by 2.3 MB in 23 samples needs 4.6 MB for 46."""
    first = trial({"heap": GROWN})

    assert following(replace(first, facts={"free_bytes": 10e6})) == ("app:work", "look 2")
    assert following(replace(first, facts={"free_bytes": 9e6})) is None


def test_a_look_that_failed_does_not_undo_what_the_one_before_told() -> None:
    leaked = trial({"heap": leaking(100 * KB, SAMPLES[1] + 1)}, arm="look 2")
    short = trial({"heap": GROWN[:8]}, arm="look 3", failure=Failure("out-of-memory", "memory is short"))

    assert decisive([trial({"heap": GROWN}), leaked, short]) is leaked
    assert decisive([short]) is short
    assert decisive([]) is None


def test_no_look_is_begun_that_does_not_fit_into_the_time() -> None:
    assert following(trial({"heap": GROWN}, wall_s=20.0), max_time_s=61.0) == ("app:work", "look 2")
    assert following(trial({"heap": GROWN}, wall_s=20.0), max_time_s=59.0) is None


def test_a_hunt_whose_turn_comes_after_the_time_has_what_an_iteration_may_take() -> None:
    """It took longer than planned to start the others: their time is not taken from what is left for this one."""
    spec = next_look((HUNT, replace(HUNT, name="late")), 10.0)((trial({"heap": FLAT}, wall_s=60.0),))

    assert spec is not None
    assert (spec.labels["hunt"], spec.timeout_s) == ("late", HUNT.last_s)


def test_a_failure_ends_its_hunt_and_the_next_goes_on() -> None:
    other = replace(HUNT, name="app:other")
    failed = trial({"heap": GROWN}, failure=Failure("error", "call 7"))

    assert following(failed, hunts=(HUNT, other)) == ("app:other", "look 1")


def test_hunts_share_the_time() -> None:
    hunts = [replace(HUNT, name=name) for name in "abc"]

    spec = next_look(hunts, 90.0)(())

    assert spec is not None
    assert spec.workload["budget_s"] == 30.0


def test_where_trimming_gives_much_back_one_look_goes_without() -> None:
    first = trial({"heap": FLAT, "rss": FLAT}, facts={"given_back_bytes": 50e6})

    assert following(first) == ("app:work", UNTRIMMED)
    assert following(first, replace(first, spec=replace(first.spec, arm=UNTRIMMED))) is None


def test_detection_runs_with_two_arenas_a_fixed_hash_seed_and_no_tracing() -> None:
    env = look_spec(HUNT, 0, 60.0).env

    assert env == {"MALLOC_ARENA_MAX": "2", "PYTHONHASHSEED": "0"}


# --- rows ------------------------------------------------------------------------------------------------------------


def test_a_leaks_row_has_the_growth_of_one_call_and_when_memory_is_full() -> None:
    second = trial({"heap": leaking(100 * KB, SAMPLES[1] + 1)}, calls=10)

    leak = row(second, "heap")

    assert (leak.status, leak.unit, leak.iterations) == ("leak", "B", 400)
    assert leak.growth == pytest.approx(10 * KB)
    assert leak.full_after == pytest.approx(FREE_BYTES / (10 * KB))


def test_memory_is_full_by_what_is_touched_not_by_what_is_asked_for() -> None:
    """As with a context that is reserved whole and used in part."""
    levels = {"heap": leaking(1000 * KB, SAMPLES[1] + 1), "anonymous": leaking(200 * KB, SAMPLES[1] + 1)}

    assert row(trial(levels), "heap").full_after == pytest.approx(FREE_BYTES / (200 * KB))


def test_more_calls_in_a_sample_would_have_shown_a_smaller_leak() -> None:
    sizes = [row(trial({"heap": FLAT}, calls=calls), "heap").smallest_seen for calls in (1, 100)]

    assert sizes == [pytest.approx(1.1 * 4096), pytest.approx(1.1 * 40.96)]


def test_resident_memory_and_objects_are_never_judged() -> None:
    rows = leaks_of(trial({"heap": FLAT, "rss": GROWN, "gc_objects": GROWN}), None)

    assert {leak.status for leak in rows} == {"clean", "retained"}
    assert not any("gc_objects" in leak.metric for leak in rows)


def test_resident_memory_that_grows_without_the_heap_is_retained() -> None:
    mapped = row(trial({"heap": FLAT, "rss": GROWN}), "rss")
    trimmed = trial({"heap": FLAT, "rss": FLAT}, facts={"given_back_bytes": 2 * 1024**2})
    kept = row(trimmed, "rss", trial({"heap": FLAT, "rss": GROWN}, arm=UNTRIMMED))

    assert "pages of mapped files" in mapped.reason
    assert "gives 2.00 MiB back when it is trimmed; try MALLOC_ARENA_MAX=2" in kept.reason


def test_shared_memory_that_was_mapped_before_may_be_what_is_retained() -> None:
    grown = trial({"heap": FLAT, "shared_memory": FLAT, "rss": GROWN})
    mapped = replace(grown, facts={**grown.facts, "first_levels": {"shared_memory": 64 * 1024**2}})

    told = "or of the 64.0 MiB of shared memory that are mapped, which fill up to that at most"
    assert told in row(mapped, "rss").reason
    assert "shared memory" not in row(grown, "rss").reason


def test_readings_that_come_late_do_not_make_steady_growth_look_like_chance() -> None:
    """By the clock: what grew is told as if each had come after the same time; a count is exact."""
    late = [1e-5, 3e-5, 1e-5, 1e-5]
    look = trial({"anonymous": [0, 1, 2, 3, 4], "descriptors": [0, 1, 2, 3, 4]})
    samples = tuple(
        sample._replace(
            values=tuple(
                one._replace(value=value) for one, value in zip(sample.values, (5e10, 1 / calls), strict=True)
            ),
            facts={"calls": calls, "call_s": 3600.0},
        )
        for sample, calls in zip(look.samples, late, strict=True)
    )

    assert levels_of(replace(look, samples=samples), "anonymous") == pytest.approx([5e5, 1e6, 1.5e6, 2e6])
    assert levels_of(replace(look, samples=samples), "descriptors") == pytest.approx([1, 2, 3, 4])


def test_a_result_holds_every_series_so_that_it_can_be_judged_again() -> None:
    look = trial({"heap": leaking(33, SAMPLES[0] + 1), "descriptors": [0.0, *map(float, range(SAMPLES[0]))]}, calls=7)

    metrics = {metric.labels["probe"]: metric for metric in leak_metrics([look], METRICS)}

    assert {probe: metric.unit for probe, metric in metrics.items()} == {"heap": "B", "descriptors": "1"}
    for probe, metric in metrics.items():
        assert levels_of_metric(metric) == pytest.approx(levels_of(look, probe))
