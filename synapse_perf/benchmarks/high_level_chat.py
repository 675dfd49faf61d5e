"""What does llama-cpp-python's ``Llama`` add to a query? The same prompt through it and through our own loop, in turn.

Both use one model and one context, with an empty KV cache before each query; which of the two comes first changes from
query to query. A pair has the same number in the fact ``pair``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.chat_parts import LATENCY_METRICS
from synapse_perf.benchmarks.context import Context
from synapse_perf.samples import Fact, Measurement, Sample

if TYPE_CHECKING:
    from synapse_perf.benchmarks.chat_parts import Runtime
    from synapse_perf.llama.chat_template import Message
    from synapse_perf.llama.generation import ChatModel
    from synapse_perf.llama.high_level import HighLevelChat, Streamed

FIRST_IMPORT = "llama_cpp"
METRICS = LATENCY_METRICS
OWN_LOOP, HIGH_LEVEL = "api=own-loop", "api=high-level"  # values of the label `variant`


def measure(context: Context) -> Iterator[Sample]:
    """Two samples for each query, until the share is done or its time is spent."""
    from synapse_perf.benchmarks.chat_parts import failed, start_llama
    from synapse_perf.llama.generation import ChatModel
    from synapse_perf.llama.generation_failure import GenerationFailed
    from synapse_perf.llama.high_level import HighLevelChat
    from synapse_perf.llama.loading import LoadFailed
    from synapse_perf.llama.settings import LoadSettings

    tier: str = context.workload["tier"]
    runtime: Runtime = start_llama()
    context.stage(f"loading the {tier} model with Llama()")
    try:
        high = HighLevelChat(runtime.api, LoadSettings.from_workload(context.workload["settings"]), runtime.log)
        yield from _pairs(context, high, ChatModel(runtime.api, high.loaded, runtime.log))
    except (LoadFailed, GenerationFailed) as error:
        raise failed(error, f"tier {tier}", runtime) from error
    high.close()


def _pairs(context: Context, high: HighLevelChat, chat: ChatModel) -> Iterator[Sample]:
    from synapse_perf.benchmarks.chat_parts import check_lengths, conversation, turns, wanted_of, warm_up

    workload = context.workload
    conversations = [conversation(query["prompt"], workload["system"]) for query in workload["queries"]]
    check_lengths(chat, workload, conversations)
    context.stage("warming up")
    first = high.ask(conversations[0], wanted_of(workload))
    warmed = warm_up(chat, conversations, first.total_s)
    context.facts.update(discarded=warmed.discarded + 1, steady=warmed.is_steady)
    for pair in turns(context):
        context.stage(f"query {pair + 1} of {workload['count']}, through both ways")
        place = (context.spawned_ns // 1000 + pair) % len(conversations)
        yield from _pair(context, high, chat, pair, place, conversations[place])


def _pair(
    context: Context, high: HighLevelChat, chat: ChatModel, pair: int, place: int, messages: list[Message]
) -> Iterator[Sample]:
    from synapse_perf.benchmarks.chat_parts import answer_facts, figures, wanted_of

    query = context.workload["queries"][place]
    # Our loop ends where Llama ends, which cannot be told to go on: past the model's own end nothing is compared.
    wanted = wanted_of(context.workload, query["max_tokens"])._replace(is_fixed_length=False)
    about: dict[str, Fact] = {"pair": pair, "query": place}
    for is_high in (False, True) if pair % 2 else (True, False):
        chat.forget()  # neither finds what the other left
        if is_high:
            streamed = high.ask(messages, wanted)
            yield Sample(
                tuple(_streamed_figures(streamed, query["complexity"])), {**about, **_streamed_facts(streamed)}
            )
        else:
            answer = chat.ask(messages, wanted)
            labels = {"complexity": query["complexity"], "variant": OWN_LOOP}
            yield Sample(tuple(figures(answer, labels)), {**about, **answer_facts(answer)})


def _streamed_figures(streamed: Streamed, complexity: str) -> list[Measurement]:
    labels = {"complexity": complexity, "variant": HIGH_LEVEL}
    values = {
        "query_latency": streamed.total_s,
        "time_to_first_token": streamed.first_token_s,
        "decode_rate": streamed.decode_rate,
    }
    return [Measurement(name, value, labels) for name, value in values.items() if value is not None]


def _streamed_facts(streamed: Streamed) -> dict[str, Fact]:
    return {
        "prompt_tokens": streamed.prompt_tokens,
        "generated_tokens": streamed.generated_tokens,
        "pieces": len(streamed.piece_ns),
        "cpu_s": streamed.cpu_ns * 1e-9,
    }
