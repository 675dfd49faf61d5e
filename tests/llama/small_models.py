"""Small GGUF models with real shapes, and what llama.cpp says while it loads one."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

TOKENS = 300
KV_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q5_1": 7, "q8_0": 8}


@dataclass(frozen=True)
class Shape:
    """The parts of a model's shape that its KV cache depends on."""

    architecture: str = "llama"
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head_size: int = 32
    window: int | None = None


@dataclass
class Capture:
    """What came out of one load: fragments of the log, progress, and the stamps around the calls."""

    fragments: list[tuple[int, int, bytes]]
    progress: list[tuple[int, float]]
    call_start_ns: int = 0
    load_end_ns: int = 0
    context_start_ns: int = 0
    context_end_ns: int = 0


def write_model(path: Path, shape: Shape) -> Path:
    """A model with a byte vocabulary and random weights."""
    writer = gguf.GGUFWriter(str(path), shape.architecture)
    width = shape.heads * 16
    writer.add_context_length(8192)
    writer.add_embedding_length(width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(64)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_size)
    writer.add_value_length(shape.head_size)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(0)
    if shape.window is not None:
        writer.add_sliding_window(shape.window)
    _write_vocabulary(writer)
    for name, dimensions in _tensors(shape, width).items():
        values = np.random.default_rng(len(name)).standard_normal(dimensions) * 0.02
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_vocabulary(writer: Any) -> None:
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += [f"word{number}" for number in range(TOKENS - len(tokens))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * TOKENS)
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * (TOKENS - 259))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def _tensors(shape: Shape, width: int) -> dict[str, tuple[int, ...]]:
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    found: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (TOKENS, width),
        "output.weight": (TOKENS, width),
        "output_norm.weight": (width,),
    }
    layer: dict[str, tuple[int, ...]] = {
        "attn_norm": (width,),
        "attn_q": (queries, width),
        "attn_k": (keys, width),
        "attn_v": (keys, width),
        "attn_output": (width, queries),
        "ffn_norm": (width,),
        "ffn_gate": (64, width),
        "ffn_up": (64, width),
        "ffn_down": (width, 64),
    }
    if shape.architecture == "gemma3":
        del found["output.weight"]
        layer |= {
            "post_attention_norm": (width,),
            "post_ffw_norm": (width,),
            "attn_q_norm": (shape.head_size,),
            "attn_k_norm": (shape.head_size,),
        }
    for number in range(shape.layers):
        found |= {f"blk.{number}.{name}.weight": dimensions for name, dimensions in layer.items()}
    return found


def capture(path: Path, **options: Any) -> Capture:
    """Load a model and make a context on it; options are fields of llama.cpp's two parameter structs."""
    import llama_cpp
    from llama_cpp import _logger
    from llama_cpp import llama_cpp as native

    taken = Capture([], [])
    model_parameters, context_parameters = native.llama_model_default_params(), native.llama_context_default_params()
    for name, value in options.items():
        target = model_parameters if hasattr(model_parameters, name) else context_parameters
        setattr(target, name, value)

    def receive(level: int, text: bytes, _user_data: object) -> None:
        if level != 1:
            taken.fragments.append((time.perf_counter_ns(), level, text))

    def note(share: float, _user_data: object) -> bool:
        taken.progress.append((time.perf_counter_ns(), share))
        return True

    callbacks = (native.llama_log_callback(receive), native.llama_progress_callback(note))
    native.llama_log_set(callbacks[0], ctypes.c_void_p(0))
    model_parameters.progress_callback = callbacks[1]
    try:
        native.llama_backend_init()
        taken.call_start_ns = time.perf_counter_ns()
        model = native.llama_model_load_from_file(str(path).encode(), model_parameters)
        taken.load_end_ns = time.perf_counter_ns()
        if model:
            taken.context_start_ns = time.perf_counter_ns()
            context = native.llama_init_from_model(model, context_parameters)
            taken.context_end_ns = time.perf_counter_ns()
            if context:
                native.llama_free(context)
            native.llama_model_free(model)
    finally:
        llama_cpp.llama_log_set(_logger.llama_log_callback, ctypes.c_void_p(0))
    return taken


def as_timestamped_text(taken: Capture) -> str:
    """The capture as llama-server writes it with timestamps."""
    from synapse_perf.llama.log_lines import join_fragments

    lines = []
    for line in join_fragments(taken.fragments):
        since_us = ((line.time_ns or 0) - taken.call_start_ns) // 1000
        minutes, rest = divmod(since_us, 60_000_000)
        stamp = f"{minutes}.{rest // 1_000_000:02d}.{rest // 1000 % 1000:03d}.{rest % 1000:03d}"
        lines.append(f"{stamp} {' DIWE '[line.level or 0]} {line.text}")
    return "\n".join(lines) + "\n"
