"""A scatter plot in plain text: points at their places, round ticks, and nothing outside the frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.report.console import to_console
from synapse_perf.report.document import Axis, PlotPoint, Scatter, Section
from synapse_perf.report.markdown import to_markdown
from synapse_perf.report.scatter_plot import HEIGHT, WIDTH, Scale, draw_scatter
from synapse_perf.units import format_duration, three_digits

NO_TICKS = Axis("", ())


def cells(plot: Scatter) -> list[str]:
    """What is inside the frame, line by line from the top."""
    return [line[2:].ljust(WIDTH) for line in draw_scatter(plot)[1 : HEIGHT + 1]]


def of(*points: PlotPoint, **guides: float) -> Scatter:
    return Scatter(NO_TICKS, NO_TICKS, points, **guides)


def test_corners_are_in_the_corners() -> None:
    drawn = cells(of(PlotPoint(0, 0, "a"), PlotPoint(1, 0, "b"), PlotPoint(0, 1, "c"), PlotPoint(1, 1, "d")))
    assert (drawn[-1][0], drawn[-1][-1], drawn[0][0], drawn[0][-1]) == ("a", "b", "c", "d")
    assert len(drawn) == HEIGHT


def test_letters_at_one_place_move_aside_and_win_over_dots_and_guides() -> None:
    drawn = cells(of(*(PlotPoint(0.5, 0.5, mark) for mark in "ab.c"), y_guide=0.5))
    assert "cab" in drawn[7]
    assert drawn[7].count("-") == WIDTH - 3


def test_more_points_than_places_leave_a_star() -> None:
    assert "*" in "".join(cells(of(*(PlotPoint(0.5, 0.5, mark) for mark in "abcd"))))


def test_a_guide_outside_the_axes_is_not_drawn() -> None:
    assert "".join(cells(of(x_guide=1.2, y_guide=-0.1))).strip() == ""


def test_axes_have_round_values_and_titles_with_units() -> None:
    x, y = Scale.around([0.00013, 0.04], is_log=True), Scale.around([0.72, 1.0])
    lines = draw_scatter(Scatter(x.axis("p95 of a search", format_duration), y.axis("recall", three_digits), ()))
    assert lines[0] == "recall"
    assert [line[:4] for line in lines if line[:1].isdigit()] == ["1.00", "0.90", "0.80"]
    assert lines[-2].split() == ["1.00", "ms", "10.0", "ms"]
    assert lines[-1].strip() == "p95 of a search"


def test_values_close_together_still_get_ticks() -> None:
    scale = Scale.around([0.0031, 0.0034], is_log=True)
    assert len(scale.axis("", format_duration).ticks) > 1


@given(st.lists(st.floats(1e-7, 1e4), min_size=1, max_size=20), st.booleans())
def test_every_value_and_every_tick_lies_on_the_axis(values: list[float], is_log: bool) -> None:
    scale = Scale.around(values, is_log=is_log)
    places = [scale.share(value) for value in values] + [share for share, _ in scale.axis("", three_digits).ticks]
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)


@given(st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5), st.sampled_from("abc.")), max_size=30))
def test_no_line_is_longer_than_the_plot(places: list[tuple[float, float, str]]) -> None:
    axis = Axis("title", ((0.0, "100 µs"), (1.0, "10.0 ms")))
    lines = draw_scatter(Scatter(axis, axis, tuple(PlotPoint(*place) for place in places)))
    assert len(lines) == HEIGHT + 4
    assert max(map(len, lines)) <= WIDTH + len("10.0 ms ") + 1 + len("10.0 ms")


@pytest.mark.parametrize("width", [60, 80, 140])
def test_it_fits_the_terminal_in_ascii_and_stands_fenced_in_markdown(width: int) -> None:
    axis = Axis("seconds – per query", ((0.0, "100 µs"), (1.0, "10.0 ms")))
    document = (Section("Plot", (Scatter(axis, axis, (PlotPoint(0.3, 0.2, "a"),)),)),)
    shown = to_console(document, width=width, ascii_only=True)
    assert shown.isascii()
    assert max(map(len, shown.splitlines())) <= width
    assert "100 us" in shown
    assert to_markdown(document).count("```") == 2
