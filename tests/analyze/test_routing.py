"""Is a query scored and routed as the engine's own rules say, quirks included?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.analyze.routing import COMPLEXITIES, TIER_FOR, route


def test_the_engines_own_example_has_the_engines_own_score() -> None:
    """Eleven words, a complex task, several parts, reasoning, an enumeration: seen from the engine itself."""
    routing = route("Analyze and evaluate the architecture step by step because it matters")

    assert routing.score == pytest.approx(10.05)
    assert routing.tier == routing.second_tier == "deep"


@pytest.mark.parametrize(
    ("query", "score"),
    [
        ("", 1.0),
        ("hello", 1.05),
        ("What is Python?", 0.65),
        ("Explain recursion", 2.1),
        ("Design a cache", 5.15),
        ("cats and dogs", 0.15 + 1 + 2),
        ("why? how?", 0.1 + 1 + 1.5),
        ("only one question?", 0.15 + 1),
        ("run it if it is late", 0.3 + 1 + 1),
        ("slow, therefore bad", 0.15 + 1 + 1.5),
        ("the third one", 0.15 + 1 + 1),
    ],
)
def test_each_part_has_its_weight(query: str, score: float) -> None:
    assert route(query).score == pytest.approx(score)


def test_the_most_complex_task_counts_and_no_other() -> None:
    assert route("explain what is meant, then assess it").score == pytest.approx(7 * 0.05 + 5 + 2)


@pytest.mark.parametrize(
    ("query", "found"), [("listen", 0.5), ("rename", 0.5), ("architecture", 5.0), ("firsthand", 2.0)]
)
def test_words_are_found_within_others_as_the_engine_finds_them(query: str, found: float) -> None:
    assert route(query).score == pytest.approx(0.05 + found)


def test_capital_letters_make_no_difference() -> None:
    assert route("EXPLAIN THIS").score == route("explain this").score


@pytest.mark.parametrize(
    ("words", "tier", "second"),
    [(39, "fast", "balanced"), (40, "balanced", "balanced"), (119, "balanced", "balanced"), (120, "deep", "deep")],
)
def test_a_tier_begins_at_its_limit(words: int, tier: str, second: str) -> None:
    """No known task is worth 1, so 40 words score 3.0 and 120 words 7.0."""
    routing = route(" ".join(["word"] * words))

    assert (routing.tier, routing.second_tier) == (tier, second)


@given(st.text())
def test_any_text_has_a_score_that_its_parts_add_up_to(text: str) -> None:
    routing = route(text)

    assert routing.score == sum(weight for _, weight in routing.parts)
    assert TIER_FOR[routing.complexity] == routing.tier
    assert routing.complexity in COMPLEXITIES
