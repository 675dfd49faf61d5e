"""What does a report of leak-hunt open with, and what does each row say?"""

from __future__ import annotations

import pytest

from synapse_perf.model import Result
from synapse_perf.report.leak_figures import format_amount, plural, sparkline
from synapse_perf.report.render import render
from tests.report.leak_examples import EXAMPLES, leak


def lines(shown: Result) -> list[str]:
    return render(shown, "console", width=140, color=False, ascii_only=False).splitlines()


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        (
            "leak_found",
            "LEAK: model-switch: live heap +1.00 MiB per switch; model-switch: mapped files +0.50 per switch",
        ),
        ("leak_clean", "CLEAN: nothing grows"),
        ("leak_undecided", "INCONCLUSIVE: what grows may be a leak or a warm-up"),
        ("leak_retained", "RETAINED: nothing leaks, but memory that is no longer in use is kept"),
        ("leak_failed", "INCONCLUSIVE: too few iterations; 1 failure"),
    ],
)
def test_the_first_line_is_the_verdict(name: str, beginning: str) -> None:
    assert lines(EXAMPLES[name]())[0].startswith(beginning)


def test_the_same_memory_is_not_told_twice() -> None:
    assert "anonymous" not in "".join(lines(leak())[:4])


def test_a_clean_hunt_tells_the_smallest_leak_that_it_would_have_seen() -> None:
    text = " ".join(lines(EXAMPLES["leak_clean"]()))

    assert "of memory or 1 in 364 of what is counted per call would have been seen" in text


def test_models_that_die_only_by_the_collector_are_told() -> None:
    text = "\n".join(lines(leak()))

    assert "23 of 23 models died only when the garbage collector came, not when let go." in text
    assert "393 MiB of each switch go only when the garbage collector comes" in text


def test_small_counts_read_the_other_way_round() -> None:
    assert [format_amount(value, "1") for value in (1.0, 0.1, 0.025, 0.0)] == ["1.00", "0.10", "1 in 40", "0.00"]


def test_a_series_becomes_bars_from_its_lowest_to_its_highest() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5, 5, 5]) == "▁▁▁"
    assert len(sparkline(list(map(float, range(92))))) == 20
    assert sparkline([]) == ""


def test_two_switches() -> None:
    assert (plural("switch"), plural("call")) == ("switches", "calls")


def test_probes_with_too_few_iterations_share_a_line() -> None:
    text = " ".join(lines(EXAMPLES["leak_failed"]()))

    assert "INCONCLUSIVE, too few iterations to tell: live heap." in text
    assert "not known" not in text.partition("Failures")[0].partition("INCONCLUSIVE, too few")[2]
