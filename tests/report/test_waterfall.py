from __future__ import annotations

import itertools
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.model import Metric
from synapse_perf.report.document import Bar, BarKind, Lane
from synapse_perf.report.runs import Run, runs_of
from synapse_perf.report.waterfall import draw_bar, lane_of, phases_of
from tests.report.examples import MLOCK_FAILED, metric, result, run_metrics, uncertified


def lane(*metrics: Metric) -> Lane:
    drawn = lane_of(runs_of(result(metrics=metrics))[0], "m")
    assert drawn is not None
    return drawn


def phases(**seconds: float) -> tuple[Metric, ...]:
    labels = {"model": "m", "cache": "cold", "device": "cpu"}
    return tuple(metric("phase_time", {**labels, "phase": name.replace("__", ".")}, s) for name, s in seconds.items())


def test_each_phase_begins_where_the_one_before_it_ends() -> None:
    bars = [bar for bar in lane(*run_metrics("m", "cold")).bars if bar.kind in ("phase", "residual")]
    for before, after in itertools.pairwise(bars):
        assert after.start == pytest.approx(before.start + before.length)


def test_a_part_lies_within_its_parent_and_moves_nothing() -> None:
    bars = {bar.label.strip(): bar for bar in lane(*phases(context=1.0, context__kv_cache=0.4, first_token=1.0)).bars}
    assert bars["kv cache"].start == bars["context"].start
    assert bars["first token"].start == pytest.approx(0.5)


def test_parts_follow_each_other() -> None:
    bars = {
        bar.label.strip(): bar for bar in lane(*phases(context=1.0, context__kv_cache=0.4, context__compute=0.4)).bars
    }
    assert bars["compute"].start == pytest.approx(bars["kv cache"].length)


def test_phases_are_in_the_order_of_time_however_they_are_stored() -> None:
    labels = [bar.label for bar in lane(*phases(residual=0.1, first_token=1.0, tensors=2.0, interpreter=0.1)).bars]
    assert labels == ["interpreter", "tensors", "first token", "residual"]


def test_a_phase_that_nobody_knows_comes_before_the_first_token() -> None:
    labels = [bar.label for bar in lane(*phases(residual=0.1, first_token=0.3, unheard_of=1.0, tensors=2.0)).bars]
    assert labels == ["tensors", "unheard of", "first token", "residual"]


def test_the_worker_of_this_tool_is_named_and_stands_between_import_and_back_end() -> None:
    labels = [bar.label for bar in lane(*phases(backend=0.1, harness=0.2, interpreter=0.1)).bars]
    assert labels == ["interpreter", "worker (this tool)", "backend"]


def test_what_a_log_tells_before_the_load_keeps_the_order_of_the_log() -> None:
    labels = [bar.label for bar in lane(*phases(metadata=0.1, fit=0.2, device=0.1, start_up=0.1, server=0.1)).bars]
    assert labels == ["search for a fit", "device start", "start up", "metadata", "server set-up"]


def test_phases_that_take_no_time_at_all_are_left_out() -> None:
    assert [bar.label for bar in lane(*phases(backend=0.0, tensors=1.0)).bars] == ["tensors"]


def test_the_phases_of_a_server_are_seen_from_outside() -> None:
    shown = lane_of(runs_of(uncertified())[-1], "m")
    assert shown is not None
    assert [bar.label for bar in shown.bars] == [
        "until its port opens",
        "until it answers",
        "until it is ready",
        "first token",
    ]
    assert dict(shown.notes)["load"].startswith("1.71 s from the spawn to health 200")


def test_the_floor_of_a_cold_start_holds_for_one_that_was_not_proven_cold() -> None:
    runs = runs_of(uncertified())
    assert [(run.model, run.cache) for run in runs] == [("qwen3-4b", "uncertified"), ("llama-server", "warm")]
    assert runs[0].metric("phase_time", "floor")


def test_a_load_mode_that_had_no_effect_is_said_with_its_cause() -> None:
    notes = dict(lane(*run_metrics("m", "cold", facts=MLOCK_FAILED)).notes)
    assert notes["load mode"] == "not effective in 6 of 6 starts: mlock failed: Cannot allocate memory"


def test_the_residual_is_shown() -> None:
    residual = lane(*run_metrics("m", "cold")).bars[-2]
    assert (residual.label, residual.kind) == ("residual", "residual")


def test_the_floor_stands_under_the_tensors_and_is_no_phase() -> None:
    bars = {bar.label: bar for bar in lane(*run_metrics("m", "cold")).bars}
    assert bars["(floor)"].start == bars["tensors"].start
    assert bars["(floor)"].kind == "floor"


def test_the_floor_measured_without_a_device_belongs_to_the_start_on_each_device() -> None:
    metrics = run_metrics("m", "cold") + run_metrics("m", "cold", device="metal", with_floor=False)
    runs = runs_of(result(metrics=metrics))
    assert [run.device for run in runs] == ["cpu", "metal"]
    assert all(run.metric("phase_time", "floor") for run in runs)


def test_shares_are_of_the_start_to_the_first_token() -> None:
    startup = metric("model_startup_time", {"model": "m", "cache": "cold", "device": "cpu"}, 4.0)
    assert [bar.share for bar in lane(startup, *phases(tensors=2.0)).bars] == ["50.0 %"]


def test_a_run_without_phases_has_no_timeline() -> None:
    startup = metric("model_startup_time", {"model": "m", "cache": "cold"}, 4.0)
    assert lane_of(runs_of(result(metrics=(startup,)))[0], "m") is None


def test_phases_alone_are_drawn_and_the_total_is_not_invented() -> None:
    assert lane(*phases(tensors=2.0)).total == "2.00 s in these phases; when the first token came is not known"


def test_phases_without_samples_are_absent_and_not_zero() -> None:
    empty = metric("phase_time", {"model": "m", "cache": "cold", "device": "cpu", "phase": "shaders"}, 1.0, count=0)
    run = Run("m", "cpu", "cold", "", (*phases(tensors=2.0), empty))
    assert [found.labels["phase"] for found, _ in phases_of(run)] == ["tensors"]


def test_phases_of_no_length_do_not_break_the_scale() -> None:
    assert [bar.length for bar in lane(*phases(backend=0.0)).bars] == [0.0]


def test_the_cold_certificate_counts_the_starts() -> None:
    metrics = run_metrics("m", "cold", facts={"cold_proven": False, "resident_before": 0.25})
    notes = dict(lane(*metrics).notes)
    assert notes["page cache"].startswith(
        "0 of 6 starts proven cold, 25.0 % of the file resident before, 2.33 GiB read"
    )


def test_what_was_not_noted_is_not_said() -> None:
    startup = metric("model_startup_time", {"model": "m", "cache": "cold", "device": "cpu"}, 4.0)
    assert lane(startup, *phases(tensors=2.0)).notes == ()


def test_starts_that_could_not_be_made_cold_say_so_in_the_title() -> None:
    relabelled = tuple(replace(m, labels={**m.labels, "cache": "uncertified"}) for m in run_metrics("m", "cold"))
    assert lane(*relabelled).title == "m on cpu, not certified cold"


@given(st.floats(0, 1), st.floats(0, 1), st.integers(8, 100), st.sampled_from(get_args(BarKind)), st.booleans())
def test_a_bar_is_seen_and_stays_within_its_width(
    start: float, length: float, width: int, kind: BarKind, ascii_only: bool
) -> None:
    shown = min(length, 1 - start)
    drawn = draw_bar(Bar("x", "", "", start, shown, kind), width, ascii_only=ascii_only)
    assert bool(drawn.strip()) == (kind != "count" or shown > 0)  # a count of none is no bar
    assert len(drawn) <= width
    assert drawn.isascii() or not ascii_only


def test_a_bar_has_its_length_to_the_eighth_of_a_cell() -> None:
    assert draw_bar(Bar("x", "", "", 0.25, 0.3125, "phase"), 10, ascii_only=False) == "  ███▏"
