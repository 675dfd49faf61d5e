"""Which context does a two-stage query get: from the built-in pipeline, from a user's retriever, or none?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.user_code import ask, build, find_factory, find_retrieve, import_named

if TYPE_CHECKING:
    from synapse_perf.benchmarks.chat_parts import Runtime

_TEXT_NAMES = ("content", "page_content", "text", "document")


class Found(NamedTuple):
    """What goes into the prompt; `results` is None where a user's answer does not tell."""

    text: str
    results: int | None


Retrieve = Callable[[str, int], Found]  # of the query's text, and its number for messages


def open_retrieval(context: Context, runtime: Runtime) -> Retrieve | None:
    """The retrieval that the workload names: an ``index`` with all that belongs to it, a ``factory``, or none."""
    if "index" in context.workload:
        retrieve = _built_in(context)
        runtime.log.install(runtime.api)  # the encoder has put its own sink in the place of the chat models'
        return retrieve
    return _users(context) if "factory" in context.workload else None


def _built_in(context: Context) -> Retrieve:
    from synapse_perf.benchmarks.ledger import Ledger
    from synapse_perf.benchmarks.retrieval_parts import load_libraries, open_encoder, open_pipeline

    ledger = Ledger()
    load_libraries(context, ledger)
    pipeline = open_pipeline(context, ledger, open_encoder(context, ledger))

    def retrieve(query: str, _number: int) -> Found:
        packed = pipeline.retrieve(query).packed
        return Found(packed.context, len(packed.chunks))

    return retrieve


def _users(context: Context) -> Retrieve:
    from synapse_perf.benchmarks.user_code import Caller

    reference, caller = context.workload["factory"], Caller()
    sys.path[1:1] = context.workload.get("paths", ())
    context.stage(f"calling {reference}()")
    factory = find_factory(import_named(reference), reference)
    function = find_retrieve(build(caller, factory, reference).value, reference)

    def retrieve(query: str, number: int) -> Found:
        texts = texts_of(ask(caller, function, query, number).value)
        return Found("\n\n".join(texts), len(texts))

    return retrieve


def texts_of(answer: Any) -> list[str]:
    """The texts in an answer of whatever kind: strings, objects or mappings that have a text, pairs with a score."""
    if isinstance(answer, str):
        return [answer]
    if isinstance(answer, dict):
        values = [answer[name] for name in _TEXT_NAMES if isinstance(answer.get(name), str)]
        return values[:1] or next((texts_of(value) for value in answer.values() if isinstance(value, list)), [])
    if isinstance(answer, (list, tuple)):
        return [text for entry in answer for text in texts_of(entry)]
    held = next((getattr(answer, name) for name in _TEXT_NAMES if isinstance(getattr(answer, name, None), str)), None)
    if held is not None:
        return [held]
    lists = (value for value in vars(answer).values() if isinstance(value, list)) if hasattr(answer, "__dict__") else ()
    return next((texts_of(value) for value in lists), [])
