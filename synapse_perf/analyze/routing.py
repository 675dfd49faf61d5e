"""How complex is a query, and which tier answers it, by the engine's rules?

Facts of S.Y.N.A.P.S.E. engine 5.1.1, backend/app/services/routing.py: words are looked for anywhere in the text, also
within others ("list" is in "listen"). Its simple mode scores nothing and takes the fast tier; its two-stage mode scores
to choose the second tier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Complexity = Literal["simple", "moderate", "complex"]
RoutedTier = Literal["fast", "balanced", "deep"]

COMPLEXITIES: tuple[Complexity, ...] = ("simple", "moderate", "complex")
TIER_FOR: dict[Complexity, RoutedTier] = {"simple": "fast", "moderate": "balanced", "complex": "deep"}
BALANCED_FROM = 3.0
DEEP_FROM = 7.0

_PER_WORD = 0.05
_NO_TASK = 1.0
# What the query asks to be done; the first kind that is found counts, and no other.
_TASKS: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    (
        "complex",
        5.0,
        (
            *("analyze", "evaluate", "assess", "design", "architect", "synthesize", "critique"),
            *("propose", "develop", "formulate", "justify", "argue", "defend", "refute"),
        ),
    ),
    (
        "moderate",
        2.0,
        (
            *("explain", "describe", "compare", "summarize", "how does", "how do", "why does", "why do"),
            *("difference between", "similarities between", "contrast", "overview of"),
        ),
    ),
    (
        "simple",
        0.5,
        (
            *("what is", "what are", "define", "definition of", "who is", "who was"),
            *("when was", "when did", "where is", "where was", "list", "name"),
        ),
    ),
)
_MORE_THAN_ONE_QUESTION = 1.5
# How the query is built; every kind that is found counts once.
_STRUCTURES: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    ("several parts", 2.0, (" and ", " then ", " also ", ";", " or ", " but ")),
    ("a condition", 1.0, ("if ", "when ", "assuming", "suppose", "given that")),
    ("reasoning", 1.5, ("because", "therefore", "thus", "hence", "consequently")),
    ("an enumeration", 1.0, ("first", "second", "third", "step by step", "stages")),
)


@dataclass(frozen=True, slots=True)
class Routing:
    """The score of a query with what it adds up from, and the tier that it leads to."""

    score: float
    tier: RoutedTier
    parts: tuple[tuple[str, float], ...]

    @property
    def complexity(self) -> Complexity:
        return next(complexity for complexity, tier in TIER_FOR.items() if tier == self.tier)

    @property
    def second_tier(self) -> RoutedTier:
        """The tier that refines a draft: never the fast one, which wrote it."""
        return "deep" if self.tier == "deep" else "balanced"


def route(query: str) -> Routing:
    """Score a query as the engine does."""
    lowered, words = query.lower(), len(query.split())
    parts = [(f"{words} words", words * _PER_WORD), _task(lowered)]
    if query.count("?") > 1:
        parts.append(("several questions", _MORE_THAN_ONE_QUESTION))
    parts += [(name, weight) for name, weight, signs in _STRUCTURES if any(sign in lowered for sign in signs)]
    score = sum(weight for _, weight in parts)
    return Routing(score, _tier_of(score), tuple(parts))


def _task(lowered: str) -> tuple[str, float]:
    for name, weight, signs in _TASKS:
        if any(sign in lowered for sign in signs):
            return f"a {name} task", weight
    return "no known task", _NO_TASK


def _tier_of(score: float) -> RoutedTier:
    if score < BALANCED_FROM:
        return "fast"
    return "balanced" if score < DEEP_FROM else "deep"
