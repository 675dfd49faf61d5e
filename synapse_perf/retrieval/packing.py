"""Which of the chunks that a search found go into the prompt? The engine's rule, measured as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

TOKENS_PER_WORD = 1.3


class Packed(NamedTuple):
    """The context with the places of its chunks in the index, the best first, and its size by the engine's count."""

    context: str
    chunks: tuple[int, ...]
    tokens: int


def count_tokens(text: str) -> int:
    """The engine's estimate: words times 1.3, cut to a whole number."""
    return int(len(text.split()) * TOKENS_PER_WORD)


def pack(found: Sequence[int], contents: Sequence[str], token_budget: int) -> Packed:
    """Take chunks in their order until the next would exceed the budget; the first is always taken."""
    taken: list[int] = []
    total = 0
    for place in found:
        tokens = count_tokens(contents[place])
        if taken and total + tokens > token_budget:
            break
        taken.append(place)
        total += tokens
    return Packed("\n\n".join(contents[place] for place in taken), tuple(taken), total)
