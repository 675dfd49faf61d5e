"""The messages between the parent and a worker: one JSON object a line, told apart by "kind".

parent -> worker (stdin):  the request, then the word "go"; stdin then stays open as the lifeline.
worker -> parent (fd 1):   ready, stage, started, ended, sample, then done or failed.

This is the parent's view. The worker writes the same lines without these types (worker.py), since defining them would
cost milliseconds within the start that it measures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from synapse_perf.model import Failure, Json, Measurement, Sample

GO = "go"
# Who looks on: a profiler that will attach, the sampler inside the worker, or nobody.
Watch = Literal["outside", "inside", None]


@dataclass(frozen=True, slots=True)
class Request:
    """What the worker has to do: the part of a TrialSpec that it needs, and when it was spawned."""

    benchmark: str
    workload: Mapping[str, Json]
    samples: int
    warmups: int
    spawned_ns: int
    watch: Watch = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has read its request and waits for the word to go."""

    pid: int


@dataclass(frozen=True, slots=True)
class Stage:
    """What the worker is doing now, in words for the progress display."""

    text: str


@dataclass(frozen=True, slots=True)
class Started:
    """The worker started a process that must not outlive it."""

    pid: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that the worker had started is gone."""

    pid: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """One sample, after the warm-ups."""

    sample: Sample


@dataclass(frozen=True, slots=True)
class Done:
    """All samples are sent; facts hold about the process as a whole."""

    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The benchmark could not go on."""

    failure: Failure


Message: TypeAlias = Ready | Stage | Started | Ended | Sampled | Done | Failed

_KINDS: dict[str, type[Any]] = {
    "ready": Ready,
    "stage": Stage,
    "started": Started,
    "ended": Ended,
    "sample": Sampled,
    "done": Done,
    "failed": Failed,
}


def decode(line: bytes) -> Message:
    """The message of a line; ValueError when it is none."""
    try:
        content = json.loads(line)
        kind = _KINDS[content.pop("kind")]
        if kind is Sampled:
            sample = content["sample"]
            values = tuple(Measurement(**value) for value in sample["values"])
            return Sampled(Sample(values, sample["facts"]))
        if kind is Failed:
            return Failed(Failure(**content["failure"]))
        message: Message = kind(**content)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a message of the worker: {line[:200]!r}") from error
    return message


def encode_request(request: Request) -> bytes:
    """The request as its line."""
    return json.dumps(asdict(request), separators=(",", ":")).encode() + b"\n"
