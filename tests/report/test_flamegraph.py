from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.errors import InputError, MeasurementError
from synapse_perf.report import flamegraph

STACKS = """\
main (app.py:1);load (llama.py:312);read 60
main (app.py:1);load (llama.py:312);vocab 30
main (app.py:1);decode 34
other 2
"""
SVG = "{http://www.w3.org/2000/svg}"

frames = st.lists(st.sampled_from("abc"), min_size=1, max_size=5)
recordings = st.lists(st.tuples(frames, st.integers(1, 9)), max_size=12)


def text_of(recording: list[tuple[list[str], int]]) -> str:
    return "\n".join(f"{';'.join(stack)} {count}" for stack, count in recording)


def svg_titles(svg: str) -> list[str]:
    return [title.text or "" for title in ET.fromstring(svg).iter(f"{SVG}title")]


def test_stacks_are_read_as_py_spy_writes_them() -> None:
    assert flamegraph.parse_stacks("a (x y.py:3);b 12\n\n") == [(("a (x y.py:3)", "b"), 12)]


@pytest.mark.parametrize("line", ["no count", "12", "a;b -3", "a;b 1.5"])
def test_a_damaged_line_is_named(line: str) -> None:
    with pytest.raises(MeasurementError, match="line 2 "):
        flamegraph.parse_stacks(f"a 1\n{line}")


@given(recordings)
def test_the_root_frames_hold_every_sample(recording: list[tuple[list[str], int]]) -> None:
    spans = list(flamegraph.spans_of(flamegraph.parse_stacks(text_of(recording))))
    assert sum(s.end - s.start for s in spans if s.depth == 0) == sum(count for _, count in recording)


@given(recordings)
def test_a_frame_lies_within_one_caller(recording: list[tuple[list[str], int]]) -> None:
    spans = list(flamegraph.spans_of(flamegraph.parse_stacks(text_of(recording))))
    for span in spans:
        if span.depth:
            callers = [s for s in spans if s.depth == span.depth - 1 and s.start <= span.start and span.end <= s.end]
            assert len(callers) == 1


@given(recordings)
def test_the_graph_counts_every_call_path(recording: list[tuple[list[str], int]]) -> None:
    """Against a plain count of the samples under each prefix."""
    expected: Counter[tuple[str, int]] = Counter()
    for stack, count in recording:
        for depth, name in enumerate(stack):
            expected[(name, depth)] += count
    drawn: Counter[tuple[str, int]] = Counter()
    for span in flamegraph.spans_of(flamegraph.parse_stacks(text_of(recording))):
        drawn[(span.name, span.depth)] += span.end - span.start
    assert drawn == expected


def test_the_svg_names_samples_and_share_of_each_frame() -> None:
    titles = svg_titles(flamegraph.to_svg(STACKS, "qwen3-4b, cold"))
    assert titles[0] == "qwen3-4b, cold"
    assert "load (llama.py:312): 90 samples, 71.4 % of 126" in titles
    assert "other: 2 samples, 1.59 % of 126" in titles


def test_the_svg_draws_widths_in_proportion() -> None:
    root = ET.fromstring(flamegraph.to_svg("a;b 1\na;c 3\n", "t"))
    titles = [group.findtext(f"{SVG}title", "") for group in root.iter(f"{SVG}g")]
    rectangles = [rectangle for group in root.iter(f"{SVG}g") for rectangle in group.iter(f"{SVG}rect")]
    widths = {title[0]: float(r.get("width", 0)) for title, r in zip(titles, rectangles, strict=True)}
    assert widths["c"] == pytest.approx(3 * widths["b"])
    assert widths["a"] == pytest.approx(widths["b"] + widths["c"])


def test_names_cannot_break_the_svg() -> None:
    svg = flamegraph.to_svg('<script>alert("1")</script>&\x00\x1b 200\n', "<t> & \x08")
    assert "<script>" not in svg
    assert svg_titles(svg)[1].startswith('<script>alert("1")</script>&??: 200 samples')


def test_a_color_belongs_to_a_name() -> None:
    assert flamegraph.frame_color("load") == flamegraph.frame_color("load")
    assert len({flamegraph.frame_color(f"function {number}") for number in range(50)}) > 30


def test_the_same_recording_gives_the_same_graph() -> None:
    reordered = "".join(reversed(STACKS.splitlines(keepends=True)))
    assert flamegraph.to_svg(STACKS, "t") == flamegraph.to_svg(reordered, "t")


@pytest.mark.parametrize(
    ("samples", "note"),
    [
        (0, "no samples were recorded: the trial was too short, or was not allowed to be looked at"),
        (25, "25 samples; fewer than 100 samples, so a share is good to ±20 points at best (95 %)"),
        (99, "99 samples; fewer than 100 samples, so a share is good to ±10 points at best (95 %)"),
        (10000, "10000 samples; a share is good to ±1 points at best (95 %)"),
    ],
)
def test_the_note_says_how_far_to_trust_it(samples: int, note: str) -> None:
    assert flamegraph.precision_note(samples) == note


def test_no_samples_is_still_a_graph_that_says_so() -> None:
    assert "no samples were recorded" in flamegraph.to_svg("", "t")
    assert flamegraph.to_svg("a 0\n", "t").endswith("</svg>\n")


def test_a_deep_recursion_is_drawn() -> None:
    deep = ";".join("f" for _ in range(5000))
    assert len(svg_titles(flamegraph.to_svg(f"{deep} 3\n", "t"))) == 5001


def test_speedscope_refers_to_its_frames() -> None:
    document = json.loads(flamegraph.to_speedscope(STACKS, "load"))
    profile = document["profiles"][0]
    names = [frame["name"] for frame in document["shared"]["frames"]]
    assert [names[index] for index in profile["samples"][0]] == [
        "main (app.py:1)",
        "load (llama.py:312)",
        "read",
    ]
    assert profile["type"] == "sampled"
    assert sum(profile["weights"]) == profile["endValue"] == 126
    assert len(profile["weights"]) == len(profile["samples"])


@pytest.mark.parametrize(("suffix", "start"), [(".svg", "<svg"), (".json", "{"), (".txt", "main (app.py:1);load")])
def test_the_suffix_tells_the_format(suffix: str, start: str) -> None:
    assert flamegraph.flamegraph_text(STACKS, suffix, "a title").startswith(start)


def test_raw_stacks_are_written_as_they_were() -> None:
    assert flamegraph.flamegraph_text(STACKS, ".txt", "a title") == STACKS


def test_another_suffix_is_refused_before_measuring(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        flamegraph.check_flamegraph_path(tmp_path / "a.png")
    assert caught.value.remedy == "name a file that ends in .svg, .json (speedscope) or .txt (raw stacks)"
