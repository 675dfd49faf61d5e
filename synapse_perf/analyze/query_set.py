"""Which queries are asked: a set of the tool's own in three complexities, or those of a file?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from synapse_perf.analyze.routing import COMPLEXITIES, TIER_FOR, Complexity, RoutedTier, route
from synapse_perf.errors import InputError
from synapse_perf.model import Json

TIER_NAMES: dict[str, RoutedTier] = {"fast": "fast", "balanced": "balanced", "deep": "deep", "powerful": "deep"}
FORM = 'one query in a line: {"prompt": "its text"}, with "complexity", "tier" and "max_tokens" where they are known'


@dataclass(frozen=True, slots=True)
class Query:
    """One prompt; its complexity and tier are the engine's own judgement unless a file names others."""

    prompt: str
    complexity: Complexity
    tier: RoutedTier
    score: float
    second_tier: RoutedTier  # that refines a draft of the fast one
    max_tokens: int | None = None  # None: as all others

    def as_workload(self) -> dict[str, Json]:
        return {
            "prompt": self.prompt,
            "complexity": self.complexity,
            "tier": self.tier,
            "score": self.score,
            "second_tier": self.second_tier,
            "max_tokens": self.max_tokens,
        }


def scored(
    prompt: str,
    complexity: Complexity | None = None,
    tier: RoutedTier | None = None,
    max_tokens: int | None = None,
) -> Query:
    """A query as the engine judges it, but for what is given."""
    routing = route(prompt)
    found = complexity or routing.complexity
    return Query(prompt, found, tier or TIER_FOR[found], routing.score, routing.second_tier, max_tokens)


BUILT_IN: Mapping[Complexity, tuple[str, ...]] = {
    "simple": (
        "What is a memory-mapped file?",
        "Define the term cache line.",
        "Where is the page table of a process kept?",
        "What are the three states of matter that children learn about at school?",
        "Who was Ada Lovelace?",
        "List five common file formats for images.",
    ),
    "moderate": (
        "Explain how a hash table finds a key, and what happens to it as it fills up.",
        "Compare reading a large file in one piece with mapping it into memory, and say which is faster for one pass.",
        "Describe what a process scheduler does when two programs want the only processor.",
        "How does a vector index find the nearest neighbours of a query, and why is its answer not always exact?",
        "Summarize the difference between latency and throughput for someone who has run a web shop.",
        "Why does quantising the weights of a language model make it faster, and what does it cost in quality?",
    ),
    "complex": (
        "Design a cache for the results of a search service that must never show an entry older than a minute, and"
        " justify the choice of eviction, of sharding and of what happens when a node is lost.",
        "Analyze why a program that reads the same file twice may be slower the second time. Work through it step by"
        " step: first the page cache, then the disk, then the memory that other programs hold.",
        "Evaluate whether a small team should run its own language models or rent them, given that half of its"
        " documents may not leave the building. Weigh cost, latency and quality; state what would change your mind.",
        "Propose a plan to move a service of forty tables to another database without stopping it, and defend the order"
        " of its stages against someone who would rather do it all in one night.",
        "Assess three ways to keep an index of a million documents in step with its source: nightly rebuilds, change"
        " logs and dual writes. Which would you choose if the network fails twice a week, and why?",
        "Develop an experiment that tells whether a new sampler makes answers better or only longer, and argue which"
        " measurements you would trust, because readers tend to prefer what is long.",
    ),
}


def built_in_queries() -> tuple[Query, ...]:
    """The tool's own queries, the simple ones first."""
    return tuple(scored(prompt, complexity) for complexity in COMPLEXITIES for prompt in BUILT_IN[complexity])


def parse_queries(data: bytes, source: str) -> tuple[Query, ...]:
    """The queries of a JSON Lines file; InputError names the line that is none."""
    queries = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            queries.append(_parse_line(line, f"{source}, line {number}"))
    if not queries:
        raise InputError(f"{source} has no query", FORM)
    return tuple(queries)


def _parse_line(line: bytes, where: str) -> Query:
    try:
        entry = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8", FORM) from error
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error})", FORM) from error
    except RecursionError as error:
        raise InputError(f"{where}: nested too deeply", FORM) from error
    if not isinstance(entry, dict):
        raise InputError(f"{where}: not a JSON object", FORM)
    unknown = sorted(entry.keys() - {"prompt", "complexity", "tier", "max_tokens"})
    if unknown:
        raise InputError(f"{where}: unknown key '{unknown[0]}'", FORM)
    prompt, max_tokens = entry.get("prompt"), entry.get("max_tokens")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InputError(f"{where}: no prompt", FORM)
    if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
        raise InputError(f"{where}: max_tokens is {max_tokens!r}", "write a whole number of tokens, at least 1")
    complexity = _one_of(entry, "complexity", {name: name for name in COMPLEXITIES}, where)
    return scored(prompt, complexity, _one_of(entry, "tier", TIER_NAMES, where), max_tokens)


def _one_of(entry: Mapping[str, Json], key: str, names: Mapping[str, Json], where: str) -> Json:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or value not in names:
        raise InputError(f"{where}: {key} is {value!r}", f"write one of {', '.join(names)}")
    return names[value]
