"""Which settings answer the same query sooner? Several contexts in one process, each asked in turn, in random order.

All arms of a round get the same query, one right after the other, with an empty KV cache each, or with `prefix` warm
with the prompt in it: what disturbs the process disturbs them alike, and their figures are compared within the round.
The first arm is what the others are compared with. An arm that llama.cpp refuses is told in the facts of the process,
and the others go on.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from synapse_perf.benchmarks.chat_parts import LATENCY_METRICS
from synapse_perf.benchmarks.context import Context
from synapse_perf.samples import Json, Measurement, Sample

if TYPE_CHECKING:
    from synapse_perf.benchmarks.chat_parts import Runtime
    from synapse_perf.llama.answer import Answer
    from synapse_perf.llama.chat_template import Message
    from synapse_perf.llama.generation import ChatModel
    from synapse_perf.llama.loading import LoadedModel

FIRST_IMPORT = "llama_cpp"
METRICS = LATENCY_METRICS
OF_THE_MODEL = ("model_path", "n_gpu_layers", "device", "load_mode", "repack", "rpc_servers")  # not of a context
WARM_UP_TOKENS = 2


class Arm(NamedTuple):
    """One way to answer."""

    name: str
    chat: ChatModel
    max_tokens: int


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each arm of each round, until the rounds are done or their time is spent."""
    from synapse_perf.benchmarks.chat_parts import conversation, failed, start_llama, turns
    from synapse_perf.llama.generation_failure import GenerationFailed

    workload = context.workload
    runtime = start_llama()
    arms = _open_all(context, runtime)
    conversations = [conversation(query["prompt"], workload["system"]) for query in workload["queries"]]
    draw = random.Random(context.spawned_ns // 1000)
    draw.shuffle(conversations)
    try:
        _warm_up(context, arms, conversations)
        for number in turns(context):
            context.stage(f"comparing {len(arms)} settings, round {number + 1} of {workload['count']}")
            yield from _round(number, arms, conversations[number % len(conversations)], draw, workload)
    except GenerationFailed as error:
        raise failed(error, f"tier {workload['tier']}", runtime) from error


def _open_all(context: Context, runtime: Runtime) -> list[Arm]:
    """The contexts of all arms; those that differ in the context alone share a model."""
    from synapse_perf.llama.generation_failure import GenerationFailed
    from synapse_perf.llama.loading import LoadFailed

    models: dict[str, LoadedModel] = {}
    arms: list[Arm] = []
    refused: dict[str, str] = {}
    for wanted in context.workload["arms"]:
        context.stage(f"loading with {wanted['name']}")
        try:
            arms.append(_open(runtime, wanted, models))
        except (LoadFailed, GenerationFailed) as error:
            if not arms:  # what the others are compared with
                from synapse_perf.benchmarks.chat_parts import failed

                raise failed(error, f"tier {context.workload['tier']}", runtime) from error
            refused[wanted["name"]] = str(error)
    context.facts["refused"] = refused
    return arms


def _open(runtime: Runtime, wanted: Mapping[str, Json], models: dict[str, LoadedModel]) -> Arm:
    from synapse_perf.llama.generation import ChatModel
    from synapse_perf.llama.loading import LoadedModel, load_model, make_context
    from synapse_perf.llama.settings import LoadSettings

    settings = LoadSettings.from_workload(wanted["settings"])
    key = repr([getattr(settings, name) for name in OF_THE_MODEL])
    if key not in models:
        models[key] = load_model(runtime.api, settings, runtime.log)
    loaded = LoadedModel()
    loaded.model = models[key].model
    make_context(runtime.api, settings, loaded, runtime.log)
    if wanted["threads_batch"]:
        runtime.api.llama_set_n_threads(loaded.context, settings.threads, wanted["threads_batch"])
    return Arm(wanted["name"], ChatModel(runtime.api, loaded, runtime.log), wanted["max_tokens"])


def _warm_up(context: Context, arms: list[Arm], conversations: list[list[Message]]) -> None:
    """Each once with the shortest prompt, so that none pays for memory that is touched for the first time."""
    from synapse_perf.llama.answer import Wanted

    context.stage("warming up")
    shortest = min(conversations, key=lambda messages: sum(len(one["content"]) for one in messages))
    for arm in arms:
        arm.chat.ask(shortest, Wanted(WARM_UP_TOKENS, is_fixed_length=True))


def _round(
    number: int, arms: list[Arm], messages: list[Message], draw: random.Random, workload: Mapping[str, Json]
) -> Iterator[Sample]:
    from synapse_perf.llama.answer import Wanted

    order, is_warm = draw.sample(arms, len(arms)), workload["prefix"] == "warm"
    answers: dict[str, Answer] = {}
    for arm in order:
        if is_warm:
            arm.chat.read(messages)
        wanted = Wanted(arm.max_tokens, is_fixed_length=True, seed=workload["seed"])
        answers[arm.name] = arm.chat.ask(messages, wanted, keeps_prefix=is_warm)
    for arm in arms:
        yield _sample(number, order.index(arm), workload["label"], arm.name, answers[arm.name], answers[arms[0].name])


def _sample(number: int, place: int, label: str, name: str, answer: Answer, reference: Answer) -> Sample:
    from synapse_perf.benchmarks.chat_parts import answer_facts

    facts = {
        **answer_facts(answer),
        "round": number,
        "place": place,
        "same_tokens": _same(answer, reference),
        "compared_tokens": min(len(answer.tokens), len(reference.tokens)),
    }
    return Sample((Measurement("query_latency", answer.total_s, {"variant": f"{label}{name}"}),), facts)


def _same(one: Answer, other: Answer) -> int:
    """With how many tokens both begin."""
    count = 0
    for mine, theirs in zip(one.tokens, other.tokens, strict=False):
        if mine != theirs:
            break
        count += 1
    return count
