"""Embeds one text with a GGUF encoder, in the process, the way a retriever does for each query.

Tokenised whole, cut to the encoder's limit with its closing token kept (as sentence-transformers cuts), pooled by
llama.cpp as the file says, scaled to unit length.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from synapse_perf.llama.loading import LoadFailed, load_model, low_level_api, make_context, start_backend
from synapse_perf.llama.native_log import NativeLog
from synapse_perf.llama.settings import LoadSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_TOKENS = 256  # of all-MiniLM-L6-v2
VECTOR_POOLINGS = (1, 2, 3)  # mean, first token, last token; 0 gives a vector a token, 4 judges pairs of texts


class Encoder:
    """One loaded encoder; not safe to use from several threads at once, as llama.cpp's context is not.

    Raises LoadFailed, with llama.cpp's words, for a file that cannot be loaded or that gives no vector for a text.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 1, max_tokens: int = MAX_TOKENS) -> None:
        self._api = low_level_api()
        self._log = NativeLog()
        self._log.install(self._api)
        start_backend(self._api)
        settings = LoadSettings(
            os.fspath(path), n_ctx=max_tokens, n_batch=max_tokens, n_ubatch=max_tokens, n_threads=threads
        )
        self._loaded = load_model(self._api, settings, self._log)
        try:
            make_context(self._api, settings, self._loaded, self._log)
            self._context = self._loaded.context
            self._is_causal = not self._loaded.is_encoder
            if self._is_causal:
                self._api.llama_set_embeddings(self._context, True)
            if self._api.llama_pooling_type(self._context) not in VECTOR_POOLINGS:
                raise LoadFailed("the model gives no single vector for a text (no pooling): it is no text encoder")
        except LoadFailed:
            self.close()
            raise
        self._vocabulary = self._api.llama_model_get_vocab(self._loaded.model)
        self._closing = (self._api.llama_vocab_sep(self._vocabulary), self._api.llama_vocab_eos(self._vocabulary))
        self.max_tokens = min(max_tokens, self._api.llama_model_n_ctx_train(self._loaded.model))
        self.dimension: int = self._api.llama_model_n_embd(self._loaded.model)

    def embed(self, text: str) -> NDArray[np.float32]:
        """The vector of a text, float32 of shape (dimension,), of length 1."""
        import numpy as np

        tokens, count = self._tokenize(text)
        if count > self.max_tokens:
            if tokens[count - 1] in self._closing:
                tokens[self.max_tokens - 1] = tokens[count - 1]
            count = self.max_tokens
        api, context = self._api, self._context
        batch = api.llama_batch_get_one(tokens, count)
        if self._is_causal:
            api.llama_memory_clear(api.llama_get_memory(context), False)
            status = api.llama_decode(context, batch)
        else:
            status = api.llama_encode(context, batch)
        pointer = api.llama_get_embeddings_seq(context, 0) if status == 0 else None
        if not pointer:
            raise LoadFailed(f"llama.cpp could not embed a text of {count} tokens (status {status})")
        vector: NDArray[np.float32] = np.array(np.ctypeslib.as_array(pointer, (self.dimension,)), dtype=np.float32)
        length = float(np.sqrt(vector @ vector))
        return vector / np.float32(length) if length > 0 else vector

    def count_tokens(self, text: str) -> int:
        """Tokens of the whole text, before it is cut."""
        return self._tokenize(text)[1]

    def close(self) -> None:
        """Free the model; safe to call twice."""
        self._loaded.release(self._api)

    def _tokenize(self, text: str) -> tuple[Any, int]:
        data = text.encode("utf-8", "replace")
        capacity = len(data) + 8
        tokens, count = self._tokenize_into(data, capacity)
        if count < 0:  # llama.cpp tells how many there are
            tokens, count = self._tokenize_into(data, -count)
        if count <= 0:
            raise LoadFailed("the encoder's tokenizer gives no token for a text")
        return tokens, count

    def _tokenize_into(self, data: bytes, capacity: int) -> tuple[Any, int]:
        tokens = (self._api.llama_token * capacity)()
        return tokens, self._api.llama_tokenize(self._vocabulary, data, len(data), tokens, capacity, True, False)
