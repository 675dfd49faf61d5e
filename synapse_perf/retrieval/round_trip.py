"""Does each text find itself when it is embedded again?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from synapse_perf.retrieval.exact import Floats, Ids
from synapse_perf.retrieval.stored_vectors import Scan, StoredVectors
from synapse_perf.samples import Json

TEXTS = 5


def choose_texts(ids: Ids, contents: Sequence[str], count: int = TEXTS) -> list[int]:
    """Ids spread over the index whose texts say something and occur once."""
    seen = Counter(contents)
    chosen = []
    for part in np.array_split(ids, min(count, max(1, len(ids)))):
        inwards = part[np.argsort(np.abs(np.arange(len(part)) - len(part) // 2), kind="stable")]
        fit = (int(at) for at in inwards if contents[at].strip() and seen[contents[at]] == 1)
        chosen += [at for at in (next(fit, None),) if at is not None]
    return chosen


def compare(
    stored: StoredVectors,
    places: Sequence[int],
    fresh: Floats,
    found: Scan | None,
    search: Callable[[Any, int], Any],
) -> list[dict[str, Json]]:
    """For each text: what its fresh vector finds, and how alike stored and fresh vector are, by cosine."""
    if found is None:
        _, ids = search(fresh, 1)
        return [_trip(place, int(near), None, None) for place, near in zip(places, ids[:, 0], strict=True)]
    own = stored.rows(np.array(places, dtype=np.int64))
    lengths = np.linalg.norm(own, axis=1)
    cosines = (own * fresh).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    return [
        _trip(*values)
        for values in zip(places, found.nearest.tolist(), cosines.tolist(), found.cosines.tolist(), strict=True)
    ]


def _trip(place: int, found: int, own: float | None, best: float | None) -> dict[str, Json]:
    return {"id": place, "found": found, "own_cosine": own, "best_cosine": best}
