"""What every benchmark that asks a model does: open it, warm it up, ask, and turn an answer into figures.

Formulas, in the terms of the stamps of an answer:
query_latency = the query's text to the end of its answer; time_to_first_token = the same start to the first token's
text (template + tokenise + prefill + one sampling); inter_token_latency = the median of the gaps between tokens;
decode_rate = (n - 1) / (t_last - t_first) for n tokens, the first token's own time not in it; prefill_rate = prompt
tokens evaluated (those found in the KV cache are not) / prefill time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, Json, Labels, Measurement, MetricDefinition

if TYPE_CHECKING:
    from synapse_perf.llama.answer import Answer, Wanted
    from synapse_perf.llama.chat_template import Message
    from synapse_perf.llama.generation import ChatModel
    from synapse_perf.llama.generation_failure import GenerationFailed
    from synapse_perf.llama.loading import LoadedModel, LoadFailed
    from synapse_perf.llama.native_log import NativeLog

LATENCY_METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("query_latency", "s", "lower", "text of a query to the end of its answer"),
        MetricDefinition("time_to_first_token", "s", "lower", "text of a query to the first token's text"),
        MetricDefinition("inter_token_latency", "s", "lower", "median gap between the tokens of one answer"),
        MetricDefinition("decode_rate", "1/s", "higher", "tokens after the first / time from the first to the last"),
        MetricDefinition("prefill_rate", "1/s", "higher", "prompt tokens evaluated / prefill time"),
        MetricDefinition("phase_time", "s", "lower", "time of one part of a query"),
    )
}
WARM_UP_TOKENS = 8
STEADY_WITHIN = 1.1  # of the round before: then the process has settled
WARM_UPS_AT_MOST = 20  # queries
WARM_UP_S_AT_LEAST, WARM_UP_S_AT_MOST = 1.0, 20.0
EVALUATED_AT_LEAST = 8  # prompt tokens: fewer give no rate


class Runtime(NamedTuple):
    """llama.cpp in this process."""

    api: Any
    log: NativeLog


class OpenChat(NamedTuple):
    """A tier's model that can be asked."""

    chat: ChatModel
    loaded: LoadedModel
    load_s: float  # load call to the compiled template

    def close(self, runtime: Runtime) -> None:
        self.loaded.release(runtime.api)


class WarmedUp(NamedTuple):
    """How a process was brought to its steady state: the queries discarded, and whether it was reached."""

    discarded: int
    is_steady: bool


def start_llama() -> Runtime:
    """llama.cpp ready to load."""
    from synapse_perf.llama.loading import low_level_api, start_backend
    from synapse_perf.llama.native_log import NativeLog

    runtime = Runtime(low_level_api(), NativeLog())
    runtime.log.install(runtime.api)
    start_backend(runtime.api)
    return runtime


def open_chat(runtime: Runtime, options: Mapping[str, Json], tier: str) -> OpenChat:
    """Load a tier's model up to where it can be asked; BenchmarkFailed in llama.cpp's words."""
    from synapse_perf.llama.generation import ChatModel
    from synapse_perf.llama.generation_failure import GenerationFailed
    from synapse_perf.llama.loading import LoadFailed, load_model, make_context
    from synapse_perf.llama.settings import LoadSettings

    settings = LoadSettings.from_workload(options)
    started_ns, loaded = time.perf_counter_ns(), None
    try:
        loaded = load_model(runtime.api, settings, runtime.log)
        make_context(runtime.api, settings, loaded, runtime.log)
        chat = ChatModel(runtime.api, loaded, runtime.log)
    except (LoadFailed, GenerationFailed) as error:
        if loaded is not None:
            loaded.release(runtime.api)
        raise failed(error, f"tier {tier}", runtime) from error
    return OpenChat(chat, loaded, (time.perf_counter_ns() - started_ns) * 1e-9)


def failed(error: LoadFailed | GenerationFailed, what: str, runtime: Runtime) -> BenchmarkFailed:
    """The failure that the user reads; where a load failed, with llama.cpp's log as its detail."""
    from synapse_perf.llama.generation_failure import GenerationFailed
    from synapse_perf.llama.load_failure import explain

    if isinstance(error, GenerationFailed):
        return BenchmarkFailed("error", f"{what}: {error.message}", error.remedy)
    kind, remedy = explain(str(error))
    return BenchmarkFailed(kind, f"{what}: {error}", remedy, "".join(text for _, _, text in runtime.log.texts()))


def conversation(prompt: str, system: str | None) -> list[Message]:
    """The messages of one query."""
    said = [{"role": "system", "content": system}] if system else []
    return [*said, {"role": "user", "content": prompt}]


def check_lengths(chat: ChatModel, workload: Mapping[str, Json], conversations: Sequence[Sequence[Message]]) -> None:
    """Before anything is asked; GenerationFailed names the first query that does not fit into the context."""
    from synapse_perf.llama.generation_failure import GenerationFailed

    for number, (query, messages) in enumerate(zip(workload["queries"], conversations, strict=True), 1):
        try:
            chat.check_length(messages, wanted_of(workload, query["max_tokens"]))
        except GenerationFailed as error:
            raise GenerationFailed(f"query {number}: {error.message}", error.remedy) from error


def warm_up(chat: ChatModel, conversations: Sequence[Sequence[Message]], first_s: float) -> WarmedUp:
    """Ask the shortest and the longest, few tokens of each, until a round is no longer faster than the one before.

    Both, since a GPU compiles what each length of prompt needs. It takes no longer than the first answer took, which
    has warmed up a slow model already, unless that was too short to tell.
    """
    from synapse_perf.llama.answer import Wanted

    by_length = sorted(conversations, key=lambda messages: sum(len(message["content"]) for message in messages))
    ends = by_length[:1] if len(by_length) == 1 else [by_length[0], by_length[-1]]
    wanted, limit_s = Wanted(WARM_UP_TOKENS), min(WARM_UP_S_AT_MOST, max(WARM_UP_S_AT_LEAST, first_s))
    round_s, spent_s, done = float("inf"), 0.0, 0
    while done < WARM_UPS_AT_MOST and spent_s < limit_s:
        before_s, round_s = round_s, sum(chat.ask(messages, wanted).total_s for messages in ends)
        spent_s += round_s
        done += len(ends)
        if before_s < round_s * STEADY_WITHIN:
            return WarmedUp(done, True)
    return WarmedUp(done, False)


def turns(context: Context) -> Iterator[int]:
    """Numbers the queries of this process until its share is done or its time is spent; tells the parent what it took.

    One more is asked where it fits if it takes as long as those before; the first one always is.
    """
    limit_s, started_ns = context.workload["asking_s"], time.perf_counter_ns()
    for done in range(context.workload["count"]):
        yield done
        asked, asked_s = done + 1, (time.perf_counter_ns() - started_ns) * 1e-9
        context.facts.update(asked=asked, asked_s=asked_s)
        if limit_s is not None and asked_s * (asked + 1) / asked > limit_s:
            break


def figures(answer: Answer, labels: Labels) -> list[Measurement]:
    """The metrics of one answer; what too few tokens cannot tell is left out."""
    from statistics import median

    values: dict[str, float | None] = {
        "query_latency": answer.total_s,
        "time_to_first_token": answer.first_token_s,
        "inter_token_latency": median(answer.gaps_s) if answer.gaps_s else None,
        "decode_rate": answer.decode_rate,
    }
    if answer.prompt_tokens - answer.reused_tokens >= EVALUATED_AT_LEAST:
        values["prefill_rate"] = answer.prefill_rate
    return [Measurement(name, value, labels) for name, value in values.items() if value is not None]


def answer_facts(answer: Answer) -> dict[str, Fact]:
    """What the answer was made of: tokens, and the seconds of each part, which add up to its latency."""
    gaps_s = sorted(answer.gaps_s)
    return {
        "prompt_tokens": answer.prompt_tokens,
        "reused_tokens": answer.reused_tokens,
        "generated_tokens": len(answer.tokens),
        "ended_by": answer.ended_by,
        "template_s": (answer.templated_ns - answer.started_ns) * 1e-9,
        "tokenise_s": (answer.tokenised_ns - answer.templated_ns) * 1e-9,
        "prefill_s": answer.prefill_s,
        "decode_s": answer.decoding_ns * 1e-9,
        "sampling_s": answer.sampling_ns * 1e-9,
        "detokenise_s": answer.detokenising_ns * 1e-9,
        "gap_p95_s": gaps_s[int(0.95 * (len(gaps_s) - 1) + 0.5)] if gaps_s else None,
        "gap_max_s": gaps_s[-1] if gaps_s else None,
        "cpu_s": answer.cpu_ns * 1e-9,
    }


def wanted_of(workload: Mapping[str, Json], max_tokens: int | None = None) -> Wanted:
    """How answers are made: the workload's own length, unless the query has one."""
    from synapse_perf.llama.answer import Wanted

    return Wanted(
        max_tokens or workload["max_tokens"], workload["is_fixed_length"], workload["temperature"], workload["seed"]
    )
