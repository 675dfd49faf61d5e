"""How much of the texts does the encoder never read, because it stops at its limit of tokens?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from synapse_perf.samples import Json

SAMPLE = 500


def cut_off(count_tokens: Callable[[str], int], contents: Sequence[str], limit: int) -> dict[str, Json]:
    """Over texts spread evenly: the share that is longer than the limit, and the share of all tokens beyond it."""
    step = max(1, len(contents) // SAMPLE)
    counts = sorted(count_tokens(text) for text in contents[::step] if text.strip())
    beyond = [count - limit for count in counts if count > limit]
    return {
        "limit": limit,
        "texts": len(counts),
        "share_of_texts": len(beyond) / len(counts) if counts else 0.0,
        "share_of_tokens": sum(beyond) / sum(counts) if counts else 0.0,
        "longest": counts[-1] if counts else 0,
        "median_beyond": beyond[len(beyond) // 2] if beyond else 0,
    }
