"""In which order are queries asked, and how often is one asked again? A log as it was, or a stream that is drawn."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any

KINDS = ("zipf", "log", "fresh")


def query_stream(count: int, options: Mapping[str, Any]) -> list[int]:
    """Places among `count` queries, in the order in which they are asked.

    ``log``: every query as it stands in the file. ``fresh``: each once, in a drawn order. ``zipf``: `length` draws, of
    which the query with rank r comes with a chance in proportion to r ** -exponent; which has which rank is drawn.
    """
    if options["kind"] == "log":
        return list(range(count))
    drawn = random.Random(options["seed"])
    ranked = list(range(count))
    drawn.shuffle(ranked)
    if options["kind"] == "fresh":
        return ranked
    weights = itertools.accumulate((rank + 1) ** -options["exponent"] for rank in range(count))
    return drawn.choices(ranked, cum_weights=list(weights), k=options["length"])


def as_keys(texts: Sequence[str]) -> list[int]:
    """For each text the place of the first that is equal: the texts as small numbers."""
    first: dict[str, int] = {}
    return [first.setdefault(text, place) for place, text in enumerate(texts)]
