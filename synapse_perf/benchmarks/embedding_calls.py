"""Does a user's retriever embed many texts one by one, and would one call with all of them be faster here?

Watched are the methods of the usual libraries. What they were given is embedded again afterwards, by the same object
and in the same way, in turn one by one and in one call: that batches help is true of some encoders on some machines.
"""

from __future__ import annotations

import functools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from synapse_perf.samples import Json

METHODS = {
    "sentence_transformers": ("SentenceTransformer", "encode"),
    "fastembed": ("TextEmbedding", "embed"),
    "llama_cpp": ("Llama", "embed"),
}
LEAST_CALLS = 8  # with one text each, in one step
BATCH = 8
BATCH_AT_LEAST = 3
ROUNDS = 5
PATIENCE_S = 2.0


class _Call:
    """One text that was embedded alone."""

    def __init__(self, embed: Callable[..., Any], text: str, seconds: float) -> None:
        self.embed, self.text, self.seconds = embed, text, seconds


class EmbeddingCalls:
    """Calls of embedding methods by the step of the retriever in which they were made."""

    def __init__(self) -> None:
        self._step = ""
        self._alone: dict[str, list[_Call]] = {}
        self._library: dict[str, str] = {}
        self._is_within = False
        self._watched: set[str] = set()

    def enter(self, step: str) -> None:
        self._step = step

    def look_at(self, module: str) -> None:
        """Watch the methods of a module, if it is one of the known ones and was imported now."""
        if module in self._watched or module not in METHODS:
            return
        name, method = METHODS[module]
        kind = getattr(sys.modules.get(module), name, None)
        original = getattr(kind, method, None)
        if kind is None or original is None:
            return
        self._watched.add(module)
        setattr(kind, method, self._counted(original, module))

    def _counted(self, original: Callable[..., Any], module: str) -> Callable[..., Any]:
        @functools.wraps(original)
        def counted(encoder: Any, texts: Any, *args: Any, **options: Any) -> Any:
            if self._is_within:  # the method calls itself
                return original(encoder, texts, *args, **options)
            self._is_within = True
            started_s = time.perf_counter()
            try:
                answer = original(encoder, texts, *args, **options)
                if isinstance(answer, Iterator):
                    answer = iter(list(answer))
            finally:
                self._is_within = False
            alone = _only_text(texts)
            if alone is not None:
                again = functools.partial(_embed, original, encoder, args, options)
                self._library[self._step] = module
                self._alone.setdefault(self._step, []).append(_Call(again, alone, time.perf_counter() - started_s))
            return answer

        return counted

    def facts(self) -> dict[str, Json] | None:
        """Of the step with the most such calls; None where none has many, or they cannot be made again."""
        step = max(self._alone, key=lambda one: len(self._alone[one]), default="")
        calls = self._alone.get(step, [])
        if len(calls) < LEAST_CALLS:
            return None
        try:
            compared = _compared(calls)
        except Exception:  # the user's object, asked in a way that the user does not ask it
            return None
        told = {"library": self._library[step], "during": step, "calls": len(calls)}
        return {**told, "seconds": sum(call.seconds for call in calls), **compared} if compared else None


def _embed(original: Callable[..., Any], encoder: Any, args: Any, options: Any, texts: str | list[str]) -> None:
    answer = original(encoder, texts, *args, **options)
    if isinstance(answer, Iterator):
        list(answer)


def _only_text(texts: Any) -> str | None:
    if isinstance(texts, str):
        return texts
    is_one = isinstance(texts, list | tuple) and len(texts) == 1 and isinstance(texts[0], str)
    return texts[0] if is_one else None


def _compared(calls: Sequence[_Call]) -> dict[str, Json] | None:
    """Seconds for each text one by one and in one call, in turn, by the object of the last call."""
    usual_s = statistics.median(call.seconds for call in calls)
    count = min(BATCH, int(PATIENCE_S / (2 * (ROUNDS + 1)) / max(usual_s, 1e-9)))
    if count < BATCH_AT_LEAST:
        return None
    embed, texts = calls[-1].embed, [call.text for call in calls[-count:]]
    alone: list[list[float]] = []
    together: list[float] = []
    for number in range(ROUNDS + 1):
        singles = [_seconds(functools.partial(embed, text)) for text in texts]
        batch_s = _seconds(functools.partial(embed, texts))
        if number:  # the first is to warm up
            alone.append(singles)
            together.append(batch_s)
    # The least of the rounds, for each text by itself: what else the machine did falls out, and first where it is long.
    return {
        "batch": count,
        "one_s": statistics.mean(map(min, zip(*alone, strict=True))),
        "batch_s": min(together) / count,
        "rounds": len(together),
        "faster_rounds": sum(batch_s < sum(singles) for singles, batch_s in zip(alone, together, strict=True)),
    }


def _seconds(call: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    call()
    return time.perf_counter() - started_s
