"""What does llama-cpp-python's ``Llama`` add to an answer? The same query through its streaming chat, as programs ask.

`HighLevelChat.loaded` is the same model on the same context, for our own loop: what differs between the two is the API.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from synapse_perf.llama.answer import Wanted
from synapse_perf.llama.chat_template import Message
from synapse_perf.llama.generation_failure import GenerationFailed
from synapse_perf.llama.loading import ALL_LAYERS, LoadedModel, LoadFailed
from synapse_perf.llama.native_log import NativeLog
from synapse_perf.llama.settings import KV_TYPES, LoadSettings


class Streamed(NamedTuple):
    """One streamed answer; ``Llama`` decides itself where it ends: at the model's end or the limit."""

    text: str
    generated_tokens: int
    prompt_tokens: int
    started_ns: int
    piece_ns: tuple[int, ...]  # when each piece of text arrived, most of them one token
    ended_ns: int
    cpu_ns: int

    @property
    def total_s(self) -> float:
        return (self.ended_ns - self.started_ns) * 1e-9

    @property
    def first_token_s(self) -> float | None:
        return (self.piece_ns[0] - self.started_ns) * 1e-9 if self.piece_ns else None

    @property
    def decode_rate(self) -> float | None:
        """As in our own loop: (n - 1) / (t_last - t_first)."""
        if len(self.piece_ns) < 2 or self.generated_tokens < 2:
            return None
        return (self.generated_tokens - 1) / ((self.piece_ns[-1] - self.piece_ns[0]) * 1e-9)


class HighLevelChat:
    """A model loaded by ``Llama`` itself; raises LoadFailed, or GenerationFailed for a template that is broken."""

    def __init__(self, low_level: Any, settings: LoadSettings, log: NativeLog) -> None:
        self._api = low_level
        self.llama = open_model(settings, log)
        self._evaluated: list[int] = []  # tokens of each evaluation: the prompt's, then one at a time
        self._count_evaluations()
        self.loaded = LoadedModel()
        self.loaded.model, self.loaded.context = self.llama.model, self.llama.ctx

    def ask(self, messages: Sequence[Message], wanted: Wanted) -> Streamed:
        """One answer, with nothing kept of the one before; its length cannot be fixed."""
        self.llama.reset()
        self._evaluated.clear()
        pieces: list[str] = []
        piece_ns: list[int] = []
        finish = None
        cpu_ns, started_ns = time.process_time_ns(), time.perf_counter_ns()
        try:
            for chunk in self.llama.create_chat_completion(
                [dict(message) for message in messages],
                stream=True,
                max_tokens=wanted.max_tokens,
                temperature=wanted.temperature,
                seed=wanted.seed,
            ):
                choice = chunk["choices"][0]
                finish = choice["finish_reason"]
                if choice["delta"].get("content"):
                    piece_ns.append(time.perf_counter_ns())
                    pieces.append(choice["delta"]["content"])
        except Exception as error:  # whatever a template, a handler or the library may raise
            words = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise GenerationFailed(f"Llama() could not answer: {words}", "ask less, or choose another model") from error
        ended_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns() - cpu_ns
        generated = len(self._evaluated) - (finish != "length")  # the last token is evaluated where more was to come
        prompt = self._evaluated[0]
        return Streamed("".join(pieces), generated, prompt, started_ns, tuple(piece_ns), ended_ns, cpu_ns)

    def close(self) -> None:
        """Free the model and the context; safe to call twice."""
        self.loaded.model = self.loaded.context = None
        self.llama.close()

    def _count_evaluations(self) -> None:
        evaluate, note = self.llama.eval, self._evaluated.append

        def counted(tokens: Sequence[int]) -> None:
            note(len(tokens))
            evaluate(tokens)

        self.llama.eval = counted


def open_model(settings: LoadSettings, log: NativeLog) -> Any:
    """``Llama`` with these settings; LoadFailed with llama.cpp's words, which ``Llama`` itself does not pass on."""
    from llama_cpp import Llama

    if settings.load_mode == "direct" or settings.device not in ("auto", "cpu") or not settings.repack:
        raise LoadFailed("Llama() cannot load in this way: it knows no direct I/O, no named device, no --no-repack")
    said_before = len(log.fragments)
    layers = 0 if settings.device == "cpu" else settings.n_gpu_layers
    try:
        return Llama(
            settings.model_path,
            n_ctx=settings.n_ctx,
            n_batch=settings.n_batch,
            n_ubatch=settings.n_ubatch,
            n_threads=settings.threads,
            n_threads_batch=settings.threads,
            n_gpu_layers=ALL_LAYERS if layers < 0 else layers,
            use_mmap=settings.load_mode in ("mmap", "mlock"),
            use_mlock=settings.load_mode == "mlock",
            flash_attn=bool(settings.flash_attn),
            type_k=KV_TYPES[settings.type_k],
            type_v=KV_TYPES[settings.type_v],
            no_perf=True,
            verbose=False,
        )
    except Exception as error:  # a ValueError for a model; a template that is broken raises what Jinja raises
        words = log.errors(said_before)
        if words:
            raise LoadFailed(words[0]) from error
        told = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise GenerationFailed(f"Llama() could not open the model: {told}", "choose another model") from error
