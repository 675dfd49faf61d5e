"""Which text does a model get to see for a conversation? Its own chat template, rendered as servers render it.

The Jinja template in the file, in the environment that llama-cpp-python gives it; a model without one gets ChatML, as
from llama-server.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from typing import Any

from synapse_perf.llama.generation_failure import GenerationFailed

Message = Mapping[str, str]  # role, content

_REMEDY = "repair tokenizer.chat_template in the file, or choose another model"
_LONGEST_WORDS = 200  # characters of an error in a template


class ChatTemplate:
    """One model's template, compiled once; `source` is ``model`` or ``chatml``.

    `adds_special`: whether the tokenizer has to add the token that begins a text; templates in files write it.
    """

    def __init__(self, low_level: Any, model: Any) -> None:
        self._api = low_level
        started_ns = time.perf_counter_ns()
        text = low_level.llama_model_chat_template(model, None)
        self.source = "chatml" if text is None else "model"
        self.adds_special = text is None
        self._formatter = None if text is None else _compile(low_level, model, text.decode("utf-8", "replace"))
        self.compile_s = (time.perf_counter_ns() - started_ns) * 1e-9

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt, ending where the answer begins; GenerationFailed where the template cannot give it."""
        if self._formatter is None:
            return self._chatml(messages)
        try:
            prompt: str = self._formatter(messages=[dict(message) for message in messages]).prompt
        except Exception as error:  # a template runs whatever its author wrote
            raise _broken(error) from error
        return prompt

    def _chatml(self, messages: Sequence[Message]) -> str:
        chat = (self._api.llama_chat_message * len(messages))()
        for place, message in enumerate(messages):
            chat[place].role, chat[place].content = message["role"].encode(), _bytes(message["content"])
        room = 256 + 2 * sum(len(entry.role) + len(entry.content) + 32 for entry in chat)
        buffer = ctypes.create_string_buffer(room)
        length = self._api.llama_chat_apply_template(b"chatml", chat, len(messages), True, buffer, room)
        if not 0 < length <= room:
            raise GenerationFailed("llama.cpp could not apply the ChatML template", _REMEDY)
        return buffer.raw[:length].decode()


def _compile(low_level: Any, model: Any, text: str) -> Any:
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    vocabulary = low_level.llama_model_get_vocab(model)
    begin, end = low_level.llama_vocab_bos(vocabulary), low_level.llama_vocab_eos(vocabulary)
    try:
        return Jinja2ChatFormatter(
            template=text, bos_token=_token(low_level, vocabulary, begin), eos_token=_token(low_level, vocabulary, end)
        )
    except Exception as error:
        raise _broken(error) from error


def _token(low_level: Any, vocabulary: Any, token: int) -> str:
    if token < 0:
        return ""
    text: bytes = low_level.llama_vocab_get_text(vocabulary, token)
    return text.decode("utf-8", "replace")


def _bytes(text: str) -> bytes:
    return text.replace("\0", "").encode("utf-8", "replace")


def _broken(error: Exception) -> GenerationFailed:
    line = getattr(error, "lineno", None)
    where = f" in line {line}" if line else ""
    words = (str(error).strip().splitlines() or [type(error).__name__])[0][:_LONGEST_WORDS]
    return GenerationFailed(f"the model's chat template is broken{where}: {words}", _REMEDY)
