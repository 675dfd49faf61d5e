"""Which keys is a function asked for by ``leak-hunt --cache``, and how are they asked for where it does its work?"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.analyze.cache_bounds import hit_rates
from synapse_perf.analyze.leak_cache import KeyUse
from synapse_perf.analyze.leak_plan import Hunt
from synapse_perf.benchmarks.key_log import FORM, KeyLog, read_key_log
from synapse_perf.benchmarks.leak_cache import FRESH, REPEATED
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.commands.leak_options import CacheOptions
    from synapse_perf.model import Finding, Leak, Trial

BYTES_AT_MOST = 64_000_000
ITERATION = "key"


def hunt_names(reference: str) -> tuple[str, str]:
    """Of the hunts with new keys and with keys that come again."""
    return f"{reference}, {FRESH} keys", f"{reference}, {REPEATED} keys"


def cache_hunts(hunt: Hunt, options: CacheOptions) -> tuple[Hunt, ...]:
    """Both hunts out of that of the function: known keys first, as they need little of the time."""
    fresh, repeated = hunt_names(hunt.name)
    keys_file = str(Path(options.keys).resolve()) if options.keys else None
    return tuple(
        Hunt(
            name,
            ITERATION,
            replace(
                hunt.spec,
                benchmark="leak_cache",
                workload={**hunt.spec.workload, "keys": keys, "key_type": options.key_type, "keys_file": keys_file},
            ),
        )
        for name, keys in ((repeated, REPEATED), (fresh, FRESH))
    )


def key_use_of(options: CacheOptions) -> KeyUse:
    """What the log and the rate tell; InputError for a log that cannot be read."""
    log = _log(options) if options.keys else None
    if log is None:
        return KeyUse(options.rate, "--rate, as new keys" if options.rate else "")
    rate, rate_from = options.rate, "--rate" if options.rate else ""
    if rate is None and log.span_s is not None:
        rate, rate_from = (len(log.keys) - 1) / log.span_s, "the times of the log"
    digest = hashlib.sha256("\n".join(map(str, log.keys)).encode()).hexdigest()[:16]
    return KeyUse(rate, rate_from, len(log.keys), len(set(log.keys)), _new_share(log), hit_rates(log.keys), digest)


def judged_caches(
    references: Sequence[str], use: KeyUse, trials: Sequence[Trial], rows: Sequence[Leak]
) -> tuple[tuple[Leak, ...], tuple[Finding, ...]]:
    """The rows as they read with what is known of the caches, and a finding for each function."""
    from synapse_perf.analyze.leak_cache import read_hunts, told_rows
    from synapse_perf.analyze.leak_cache_findings import cache_finding
    from synapse_perf.analyze.leak_plan import looks_of
    from synapse_perf.analyze.leak_rows import decisive

    told, findings = list(rows), []
    for reference in references:
        fresh, repeated = hunt_names(reference)
        looks = [decisive(looks_of(trials, name)) for name in (fresh, repeated)]
        if not any(looks):
            continue  # it failed, and says why
        seen = read_hunts(reference, *looks)
        own = [row for row in told if f"hunt={fresh}," in row.metric]
        changed = dict(zip(own, told_rows(own, seen), strict=True))
        told = [changed.get(row, row) for row in told]
        findings.append(cache_finding(seen, use))
    return tuple(told), tuple(findings)


def _log(options: CacheOptions) -> KeyLog:
    path = Path(options.keys or "").expanduser()
    try:
        if path.is_dir():
            raise InputError(f"--keys {path} is a directory", FORM)
        with path.open("rb") as file:
            data = file.read(BYTES_AT_MOST + 1)
    except OSError as error:
        raise InputError(f"--keys {path} cannot be read: {error.strerror}", "check the path") from error
    if len(data) > BYTES_AT_MOST:
        raise InputError(f"--keys {path} is larger than {BYTES_AT_MOST // 1_000_000} MB", "give the latest part of it")
    try:
        return read_key_log(data, options.key_type)
    except ValueError as error:
        raise InputError(f"--keys {path}: {error}", FORM) from error


def _new_share(log: KeyLog) -> float:
    """In the second half, where the keys that always come are known already."""
    half = len(log.keys) // 2
    known = set(log.keys[:half])
    later = log.keys[half:]
    return len(set(later) - known) / len(later)
