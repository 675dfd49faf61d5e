"""How does a loaded model answer one query, and where does the time go? Our own loop over llama.cpp's low-level API.

template -> tokenise -> prefill -> sample and detokenise the first token -> decode, sample, detokenise, and so on.
"""

from __future__ import annotations

import codecs
import ctypes
import time
from collections.abc import Sequence
from typing import Any

from synapse_perf.llama.answer import Answer, Wanted
from synapse_perf.llama.chat_template import ChatTemplate, Message
from synapse_perf.llama.generation_failure import GenerationFailed
from synapse_perf.llama.loading import LoadedModel
from synapse_perf.llama.native_log import NativeLog

TOP_K, TOP_P, MIN_P = 40, 0.95, 0.05  # llama.cpp's own defaults, and llama-cpp-python's
NO_FREE_PLACE = 1  # what llama_decode answers when the KV cache is full
_CHARACTERS_A_TOKEN = 16  # more than nearly any text has on average
_LONGEST_PIECE = 256  # bytes; a longer piece is asked for again


class ChatModel:
    """Answers queries with one loaded model, one at a time; GenerationFailed for a model that cannot."""

    def __init__(self, low_level: Any, loaded: LoadedModel, log: NativeLog) -> None:
        self._api = low_level
        self._log = log
        self._memory = low_level.llama_get_memory(loaded.context)
        if loaded.is_encoder or not self._memory or low_level.llama_model_has_encoder(loaded.model):
            raise GenerationFailed("it is an encoder, which cannot chat", "give a model that generates text")
        self.template = ChatTemplate(low_level, loaded.model)
        self._context = loaded.context
        self._vocabulary = low_level.llama_model_get_vocab(loaded.model)
        self._window: int = low_level.llama_model_n_swa(loaded.model)
        self.n_ctx: int = low_level.llama_n_ctx(loaded.context)
        self.n_batch: int = low_level.llama_n_batch(loaded.context)
        self._piece = ctypes.create_string_buffer(_LONGEST_PIECE)
        self._held: list[int] = []  # the tokens that the KV cache holds

    def ask(self, messages: Sequence[Message], wanted: Wanted, *, keeps_prefix: bool = False) -> Answer:
        """One answer; the KV cache is empty before, or else keeps what the prompt has in common with the last one."""
        if not keeps_prefix:
            self.forget()
        sampler = self._make_sampler(wanted)
        try:
            return self._answer(messages, wanted, sampler)
        except GenerationFailed:
            self.forget()
            raise
        finally:
            self._api.llama_sampler_free(sampler)

    def read(self, messages: Sequence[Message]) -> int:
        """Evaluate a prompt without answering it, into an empty KV cache; the count of its tokens."""
        self.forget()
        tokens = self.tokenise(self.template.render(messages))
        self._check_room(len(tokens), 1)
        self._prefill(tokens)
        return len(tokens)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """The length of the prompt, nothing evaluated."""
        return len(self.tokenise(self.template.render(messages)))

    def forget(self) -> None:
        """Empty the KV cache."""
        self._api.llama_memory_clear(self._memory, False)
        self._held = []

    def tokenise(self, prompt: str) -> list[int]:
        data = prompt.encode("utf-8", "replace")
        count = len(data) + 8  # more than enough for nearly every vocabulary
        for _ in range(2):
            tokens = (self._api.llama_token * abs(count))()
            arguments = (data, len(data), tokens, len(tokens), self.template.adds_special, True)
            count = self._api.llama_tokenize(self._vocabulary, *arguments)
            if count > 0:
                break  # or else, below 0, the room that it needs
        if count <= 0:
            raise GenerationFailed("the tokenizer gives no token for the prompt", "ask something else")
        found: list[int] = tokens[:count]
        return found

    def cut(self, text: str, most: int) -> tuple[str, int]:
        """A text with so many tokens at most, and how many it has; of a long one only what may be needed is read."""
        beginning = text[: most * _CHARACTERS_A_TOKEN]
        tokens = self.tokenise(beginning) if beginning else []
        if len(tokens) <= most and len(beginning) < len(text):  # of very long words, or of blanks
            tokens = self.tokenise(text)
        if len(tokens) <= most:
            return text, len(tokens)
        return b"".join(self._piece_of(token) for token in tokens[:most]).decode("utf-8", "ignore"), most

    def check_length(self, messages: Sequence[Message], wanted: Wanted) -> int:
        """Tokens of the prompt; GenerationFailed if it, or the answer of a fixed length, does not fit."""
        count = self.count_tokens(messages)
        self._check_room(count, wanted.max_tokens if wanted.is_fixed_length else 1)
        return count

    # --- one answer --------------------------------------------------------------------------------------------------

    def _answer(self, messages: Sequence[Message], wanted: Wanted, sampler: Any) -> Answer:
        clock, cpu_ns = time.perf_counter_ns, time.process_time_ns()
        started_ns = clock()
        prompt = self.template.render(messages)
        templated_ns = clock()
        tokens = self.tokenise(prompt)
        tokenised_ns = clock()
        self._check_room(len(tokens), wanted.max_tokens if wanted.is_fixed_length else 1)
        reused = self._prefill(tokens)
        prefilled_ns = clock()
        room = self.n_ctx - len(tokens)
        written = self._generate(sampler, min(wanted.max_tokens, room), wanted.is_fixed_length, prefilled_ns)
        ended_by = "end" if written.is_ended else "length" if len(written.tokens) == wanted.max_tokens else "context"
        return Answer(
            written.text,
            tuple(written.tokens),
            len(tokens),
            reused,
            ended_by,
            started_ns,
            templated_ns,
            tokenised_ns,
            prefilled_ns,
            tuple(written.token_ns),
            written.ended_ns,
            written.decoding_ns,
            written.sampling_ns,
            written.ended_ns - prefilled_ns - written.decoding_ns - written.sampling_ns,
            time.process_time_ns() - cpu_ns,
        )

    def _generate(self, sampler: Any, limit: int, goes_past_end: bool, prefilled_ns: int) -> _Written:
        """Tokens until the limit or the model's end; each stamp ends one part and begins the next."""
        api, context, vocabulary, clock = self._api, self._context, self._vocabulary, time.perf_counter_ns
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        one = (api.llama_token * 1)()
        written = _Written()
        decoded_ns = prefilled_ns
        while True:
            token = api.llama_sampler_sample(sampler, context, -1)
            sampled_ns = clock()
            written.sampling_ns += sampled_ns - decoded_ns
            if not goes_past_end and api.llama_vocab_is_eog(vocabulary, token):
                written.is_ended = True
                break
            written.text += decoder.decode(self._piece_of(token))
            written.tokens.append(token)
            there_ns = clock()
            written.token_ns.append(there_ns)
            if len(written.tokens) == limit:
                break
            one[0] = token
            self._decode(one, 1)
            self._held.append(token)
            decoded_ns = clock()
            written.decoding_ns += decoded_ns - there_ns
        written.text += decoder.decode(b"", final=True)
        written.ended_ns = written.token_ns[-1] if not written.is_ended else sampled_ns
        return written

    def _prefill(self, tokens: list[int]) -> int:
        """Evaluate the prompt in pieces of a batch, but for what the KV cache holds of it; how many tokens it held."""
        reused = self._reuse(tokens)
        self._held = tokens[:reused]
        for first in range(reused, len(tokens), self.n_batch):
            piece = tokens[first : first + self.n_batch]
            self._decode((self._api.llama_token * len(piece))(*piece), len(piece))
            self._held += piece
        return reused

    def _reuse(self, tokens: list[int]) -> int:
        """Keep of the KV cache what the prompt begins with; its last token is evaluated again, for what follows it."""
        same = 0
        for held, wanted in zip(self._held, tokens, strict=False):
            if held != wanted:
                break
            same += 1
        reused = min(same, len(tokens) - 1)
        if reused and self._still_sees(reused) and self._api.llama_memory_seq_rm(self._memory, 0, reused, -1):
            return reused
        self._api.llama_memory_clear(self._memory, False)
        return 0

    def _still_sees(self, position: int) -> bool:
        """Whether sliding-window attention has kept what a token at that position looks back on."""
        if self._window <= 0:
            return True
        first: int = self._api.llama_memory_seq_pos_min(self._memory, 0)
        return first <= max(0, position - self._window)

    def _decode(self, tokens: Any, count: int) -> None:
        said_before = len(self._log.fragments)
        status = self._api.llama_decode(self._context, self._api.llama_batch_get_one(tokens, count))
        if status != 0:
            words = self._log.errors(said_before)
            told = words[0] if words else "it did not say why"
            if status == NO_FREE_PLACE:
                told = f"no room in its KV cache of {self.n_ctx} tokens"
            raise GenerationFailed(
                f"llama.cpp could not decode (status {status}): {told}", "choose a larger context, or a shorter answer"
            )
        self._api.llama_synchronize(self._context)

    def _check_room(self, prompt_tokens: int, answer_tokens: int) -> None:
        if prompt_tokens + answer_tokens <= self.n_ctx:
            return
        length = f"the prompt has {prompt_tokens} tokens"
        if answer_tokens > 1:
            length += f" and the answer {answer_tokens}"
        raise GenerationFailed(f"{length}, the context holds {self.n_ctx}", "choose a larger context (-c), or ask less")

    def _piece_of(self, token: int) -> bytes:
        """The bytes of a token; special ones have none."""
        length = self._api.llama_token_to_piece(self._vocabulary, token, self._piece, len(self._piece), 0, False)
        if length < 0:
            self._piece = ctypes.create_string_buffer(-length)
            length = self._api.llama_token_to_piece(self._vocabulary, token, self._piece, -length, 0, False)
        return self._piece.raw[:length]

    def _make_sampler(self, wanted: Wanted) -> Any:
        api = self._api
        chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        if wanted.temperature <= 0:
            steps = [api.llama_sampler_init_greedy()]
        else:
            steps = [
                api.llama_sampler_init_top_k(TOP_K),
                api.llama_sampler_init_top_p(TOP_P, 1),
                api.llama_sampler_init_min_p(MIN_P, 1),
                api.llama_sampler_init_temp(wanted.temperature),
                api.llama_sampler_init_dist(wanted.seed),
            ]
        for step in steps:
            api.llama_sampler_chain_add(chain, step)
        return chain


class _Written:
    """What a generation adds up to while it runs."""

    def __init__(self) -> None:
        self.text = ""
        self.tokens: list[int] = []
        self.token_ns: list[int] = []
        self.decoding_ns = 0
        self.sampling_ns = 0
        self.ended_ns = 0
        self.is_ended = False
