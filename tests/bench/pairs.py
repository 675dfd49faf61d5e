"""Compares two ways to do the same thing in one interleaved run, until the ratio is known well enough."""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from synapse_perf.analyze.summary import median_interval

HALF_WIDTH = 0.03
CONFIDENCE = 0.95
FEWEST, MOST = 12, 400


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the paired ratios with its distribution-free interval, and how many pairs that took."""

    median: float
    low: float
    high: float
    pairs: int

    @property
    def is_known_well(self) -> bool:
        return self.high - self.low <= 2 * HALF_WIDTH

    def __str__(self) -> str:
        return f"ratio {self.median:.3f} (95 % {self.low:.3f}-{self.high:.3f}, {self.pairs} pairs)"


class KeptRatios:
    """The ratios so far, on the disk: a long comparison that was cut off goes on. Those of other code do not count."""

    def __init__(self, name: str, folder: Path = Path(".benchmarks")) -> None:
        self._path = folder / f"{name}.json"
        asked = (["git", "rev-parse", "HEAD"], ["git", "diff", "HEAD"])
        told = b"".join(subprocess.run(one, capture_output=True, check=True).stdout for one in asked)
        self._code = hashlib.sha256(told).hexdigest()

    def read(self) -> list[float]:
        if not self._path.exists():
            return []
        kept = json.loads(self._path.read_text())
        return list(kept["ratios"]) if kept["code"] == self._code else []

    def write(self, ratios: list[float]) -> None:
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text(json.dumps({"code": self._code, "ratios": ratios}))

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)


def paired_ratio(
    ours: Callable[[], float],
    theirs: Callable[[], float],
    *,
    fewest: int = FEWEST,
    most: int = MOST,
    seed: int = 0,
    kept: KeptRatios | None = None,
) -> Ratio:
    """Seconds of ours over seconds of theirs, pair by pair in random order, until the interval is ±0.03 or `most`.

    Where pairs scatter, a few can lie close together by chance: `fewest` is what their scatter needs.
    """
    ratios = kept.read() if kept else []
    order = random.Random(seed + len(ratios))
    while True:
        if order.random() < 0.5:
            first, second = ours(), theirs()
        else:
            second, first = theirs(), ours()
        ratios.append(first / second)
        if kept:
            kept.write(ratios)
        if len(ratios) < fewest:
            continue
        interval = median_interval(ratios, CONFIDENCE)
        assert interval is not None
        found = Ratio(statistics.median(ratios), interval.low, interval.high, len(ratios))
        if found.is_known_well or len(ratios) >= most:
            if kept:
                kept.forget()
            return found
