"""Loads one model to its first token through llama.cpp's low-level API, with a stamp at every step on the way."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from typing import Any

from synapse_perf.llama.devices import UnknownDeviceError, add_rpc_server, choose, library, list_devices
from synapse_perf.llama.native_log import NativeLog
from synapse_perf.llama.settings import KV_TYPES, LoadSettings

NATIVE_LOAD_MODES = {"read": 0, "mmap": 1, "mlock": 3, "direct": 4}
PROMPT = b"Hello"
PROMPT_TOKENS_AT_MOST = 16
ALL_LAYERS = 999  # what a negative number means since 2025, and more than any model had before
LOADING_CALLS = ("llama_model_load_from_file", "llama_init_from_model", "llama_model_get_vocab")  # since January 2025


class LoadFailed(Exception):  # noqa: N818  # says what happened
    """llama.cpp refused; carries its own words."""


class LoadedModel:
    """The stamps (ns) of one load, and what has to be released after it."""

    def __init__(self) -> None:
        self.model: Any = None
        self.context: Any = None
        self.is_encoder = False
        self.first_token = b""
        self.stamps_ns: dict[str, int] = {}
        self.progress: list[tuple[int, float]] = []  # stamp in ns, share of the bytes done
        self.keep: list[Any] = []  # ctypes callbacks and arrays that llama.cpp points to

    def release(self, low_level: Any) -> None:
        """Free the context and the model; safe to call twice."""
        if self.context is not None:
            low_level.llama_free(self.context)
            self.context = None
        if self.model is not None:
            low_level.llama_model_free(self.model)
            self.model = None


def low_level_api() -> Any:
    """The ctypes bindings of llama.cpp itself; raises ImportError where llama-cpp-python is missing or too old."""
    from llama_cpp import llama_cpp

    for name in LOADING_CALLS:
        if not hasattr(llama_cpp, name):
            raise ImportError(f"its llama-cpp-python is too old, it has no {name}", name="llama_cpp")
    return llama_cpp


def start_backend(low_level: Any) -> None:
    """Initialise llama.cpp and every back end of this build; a Mac loads its shader library here."""
    low_level.llama_backend_init()
    library(low_level).ggml_backend_dev_count()


def load_model(low_level: Any, settings: LoadSettings, log: NativeLog, *, no_alloc: bool = False) -> LoadedModel:
    """Read the file up to the model; raises LoadFailed with llama.cpp's words."""
    loaded = LoadedModel()
    try:
        for endpoint in settings.rpc_servers:
            add_rpc_server(low_level, endpoint)
        parameters = _model_parameters(low_level, settings, loaded)
    except UnknownDeviceError as error:
        raise LoadFailed(str(error)) from error
    if no_alloc:
        parameters.no_alloc = True
    said_before = len(log.fragments)
    log.look()
    loaded.stamps_ns["load_started"] = time.perf_counter_ns()
    loaded.model = low_level.llama_model_load_from_file(os.fsencode(settings.model_path), parameters)
    loaded.stamps_ns["load_ended"] = time.perf_counter_ns()
    if not loaded.model:
        loaded.model = None
        raise LoadFailed(_last_words(log, said_before, "llama.cpp could not load the model and did not say why"))
    return loaded


def make_context(low_level: Any, settings: LoadSettings, loaded: LoadedModel, log: NativeLog) -> None:
    """Allocate the KV cache and the compute buffers; raises LoadFailed with llama.cpp's words."""
    loaded.is_encoder = _is_encoder(low_level, loaded.model)
    parameters = _context_parameters(low_level, settings, loaded.is_encoder)
    said_before = len(log.fragments)
    loaded.stamps_ns["context_started"] = time.perf_counter_ns()
    loaded.context = low_level.llama_init_from_model(loaded.model, parameters)
    loaded.stamps_ns["context_ended"] = time.perf_counter_ns()
    if not loaded.context:
        loaded.context = None
        raise LoadFailed(_last_words(log, said_before, "llama.cpp could not make the context and did not say why"))
    # Some encoders do not say in their metadata that they are one; none of them has anything to keep between tokens.
    if not loaded.is_encoder and hasattr(low_level, "llama_get_memory"):
        loaded.is_encoder = not low_level.llama_get_memory(loaded.context)
        low_level.llama_set_embeddings(loaded.context, loaded.is_encoder)


def first_token(low_level: Any, loaded: LoadedModel) -> None:
    """Tokenise a short prompt, decode it, and pick and detokenise one token; an encoder embeds the prompt instead."""
    vocabulary = low_level.llama_model_get_vocab(loaded.model)
    tokens = (low_level.llama_token * PROMPT_TOKENS_AT_MOST)()
    count = low_level.llama_tokenize(vocabulary, PROMPT, len(PROMPT), tokens, PROMPT_TOKENS_AT_MOST, True, True)
    if count <= 0:
        raise LoadFailed(f"the tokenizer gives no token for {PROMPT.decode()!r}")
    count = min(count, low_level.llama_n_ubatch(loaded.context))  # more than a batch would abort the process
    if loaded.is_encoder or low_level.llama_model_has_encoder(loaded.model):
        _compute(low_level, low_level.llama_encode, loaded, tokens, count)
    if not loaded.is_encoder:
        if low_level.llama_model_has_encoder(loaded.model):  # it has read the prompt; its decoder begins anew
            start = low_level.llama_model_decoder_start_token(loaded.model)
            tokens[0], count = (start if start >= 0 else low_level.llama_vocab_bos(vocabulary)), 1
        _compute(low_level, low_level.llama_decode, loaded, tokens, count)
        loaded.first_token = _pick_token(low_level, loaded, vocabulary)
    loaded.stamps_ns["first_token"] = time.perf_counter_ns()


def _compute(low_level: Any, run: Callable[[Any, Any], int], loaded: LoadedModel, tokens: Any, count: int) -> None:
    status = run(loaded.context, low_level.llama_batch_get_one(tokens, count))
    if status != 0:
        raise LoadFailed(f"llama.cpp could not decode the first prompt (status {status})")
    low_level.llama_synchronize(loaded.context)


def _pick_token(low_level: Any, loaded: LoadedModel, vocabulary: Any) -> bytes:
    """The bytes of the likeliest next token."""
    sampler = low_level.llama_sampler_init_greedy()
    token = low_level.llama_sampler_sample(sampler, loaded.context, -1)
    low_level.llama_sampler_free(sampler)
    piece = ctypes.create_string_buffer(128)
    length = low_level.llama_token_to_piece(vocabulary, token, piece, 128, 0, True)
    return piece.raw[: max(length, 0)]


def _model_parameters(low_level: Any, settings: LoadSettings, loaded: LoadedModel) -> Any:
    parameters = low_level.llama_model_default_params()
    if hasattr(parameters, "use_extra_bufts"):
        parameters.use_extra_bufts = settings.repack
    parameters.n_gpu_layers = ALL_LAYERS if settings.n_gpu_layers < 0 else settings.n_gpu_layers
    set_load_mode(parameters, settings.load_mode)
    if settings.device != "auto":
        chosen = choose(list_devices(low_level), settings.device)
        if chosen is not None:
            if not chosen:
                parameters.n_gpu_layers = 0
            array = (ctypes.c_void_p * (len(chosen) + 1))(*[device.handle for device in chosen], None)
            loaded.keep.append(array)
            parameters.devices = ctypes.cast(array, ctypes.c_void_p)

    def note_progress(share: float, _user_data: object, clock: Callable[[], int] = time.perf_counter_ns) -> bool:
        loaded.progress.append((clock(), share))
        return True

    callback = low_level.llama_progress_callback(note_progress)
    loaded.keep.append(callback)
    parameters.progress_callback = callback
    return parameters


def set_load_mode(parameters: Any, load_mode: str) -> None:
    """In whichever way these bindings say it; raises LoadFailed where they cannot."""
    if hasattr(parameters, "load_mode"):
        parameters.load_mode = NATIVE_LOAD_MODES[load_mode]
        return
    parameters.use_mmap = load_mode in ("mmap", "mlock")  # llama.cpp before 2026 had booleans
    parameters.use_mlock = load_mode == "mlock"
    if hasattr(parameters, "use_direct_io"):
        parameters.use_direct_io = load_mode == "direct"
    elif load_mode == "direct":
        raise LoadFailed("this llama-cpp-python has no direct I/O")


def _context_parameters(low_level: Any, settings: LoadSettings, is_encoder: bool) -> Any:
    parameters = low_level.llama_context_default_params()
    parameters.n_ctx = settings.n_ctx
    parameters.n_batch = min(settings.n_batch, settings.n_ctx) if settings.n_ctx else settings.n_batch
    parameters.n_ubatch = min(settings.n_ubatch, parameters.n_batch)
    parameters.n_threads = settings.threads
    parameters.n_threads_batch = settings.threads
    parameters.type_k = KV_TYPES[settings.type_k]
    parameters.type_v = KV_TYPES[settings.type_v]
    parameters.no_perf = True
    parameters.embeddings = is_encoder
    if settings.flash_attn is not None:
        if hasattr(parameters, "flash_attn_type"):
            parameters.flash_attn_type = int(settings.flash_attn)
        else:  # llama.cpp before late 2025 had a boolean
            parameters.flash_attn = settings.flash_attn
    return parameters


def _is_encoder(low_level: Any, model: Any) -> bool:
    """Whether the model embeds text instead of continuing it: no decoder, or an attention that is not causal."""
    if not low_level.llama_model_has_decoder(model):
        return True
    value = ctypes.create_string_buffer(64)
    low_level.llama_model_meta_val_str(model, b"general.architecture", value, 64)
    key = value.value + b".attention.causal"
    return low_level.llama_model_meta_val_str(model, key, value, 64) > 0 and value.value == b"false"


def _last_words(log: NativeLog, said_before: int, otherwise: str) -> str:
    """What llama.cpp said at error level since then, the cause first: it repeats itself on the way out."""
    errors = log.errors(said_before)
    return errors[0] if errors else otherwise
