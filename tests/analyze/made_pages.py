"""Trials of ui-fps as its workers report them; no number here was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.benchmarks.ui_fps import METRICS
from synapse_perf.benchmarks.ui_leak import METRICS as LEFT
from synapse_perf.model import Fact, Measurement, Metric, Sample, Trial, TrialSpec

DEFINITIONS = {**METRICS, **LEFT}
FRAME_S = 1 / 60
SPEC = TrialSpec("ui_fps", "browser", {}, {})
ROUNDS = TrialSpec("ui_leak", "rounds", {}, {})
PAGE: dict[str, Fact] = {
    "seconds": 5.0,
    "script_share": 0.05,
    "layout_share": 0.01,
    "style_share": 0.02,
    "all_share": 0.2,
    "load_script_s": 0.08,
    "nodes": 620,
    "listeners": 44,
    "scripts": 2,
    "script_bytes": 400_000,
    "script_transferred_bytes": 120_000,
    "largest_scripts": "index-4f2c.js 350000, vendor.js 50000",
    "is_development": False,
    "control_stalls": 0,
    "control_rate": 60.1,
    "elements": 412,
    "list": "ul#events",
    "list_items": 40,
    "list_outside": 12,
    "shift_after_input": 0.0,
}
BURN: dict[str, Fact] = {
    "busy_s": 0.041,
    "held_by": "drawLamps",
    "file": "index-4f2c.js",
    "line": 256,
    "held_s": 0.04,
    "called_by": "tick",
}


def browser(process: int, **about: Any) -> Trial:
    """Five seconds; the blocks (57 ms each) and the waits of the drawing come evenly."""
    facts: dict[str, Any] = {**PAGE, **about}
    blocks, waits, rate, rendering = (
        facts.pop(name, value)
        for name, value in (("blocks", 0), ("waits", 0), ("rate", 59.8), ("rendering", "software"))
    )
    labels = {"rendering": str(rendering)}
    variant = {"variant": "software"} if rendering == "software" else {}
    values = [
        Measurement("main_thread_stalls", 2.0 * blocks, labels),
        Measurement("frame_rate", rate, {**labels, **variant}),
        Measurement("layout_shift", float(facts.pop("layout_shift", 0.0))),
    ]
    samples = [Sample(tuple(values), facts)]
    for number in range(290):
        is_block = bool(blocks) and number % (290 // blocks) == 20
        is_wait = bool(waits) and number % (290 // waits) == 30
        interval_s = 0.057 if is_block else 0.05 if is_wait else FRAME_S
        held = BURN if is_block else {"busy_s": 0.002} if is_wait else {}
        samples.append(Sample((Measurement("frame_interval", interval_s, labels),), held))
    return Trial(SPEC, process, tuple(samples), 12.0)


def rounds(process: int, nodes: Sequence[int], listeners: Sequence[int]) -> Trial:
    samples = [
        Sample(
            (
                Measurement("dom_node_growth", grown),
                Measurement("listener_growth", heard),
                Measurement("script_heap_growth", 210_000.0 if grown else 900.0),
            )
        )
        for grown, heard in zip(nodes, listeners, strict=True)
    ]
    return Trial(ROUNDS, process, tuple(samples), 20.0)


def metrics(*trials: Trial) -> tuple[Metric, ...]:
    return metrics_of(trials, DEFINITIONS)


def browsers(count: int = 6, **about: Any) -> tuple[Metric, ...]:
    return metrics(*(browser(process, **about) for process in range(1, count + 1)))
