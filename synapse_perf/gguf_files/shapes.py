"""What shape has each model that can be synthesised: layers, widths, heads, vocabulary?

The published ones from their own configurations: config.json and tokenizer.json of Qwen/Qwen3-0.6B, Qwen3-4B,
Qwen3-8B, meta-llama/Llama-3.1-8B-Instruct and sentence-transformers/all-MiniLM-L6-v2 on huggingface.co.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.vocabulary import (
    CONTROL,
    USER_DEFINED,
    Vocabulary,
    bpe_vocabulary,
    wordpiece_vocabulary,
)

Architecture = Literal["qwen3", "llama", "bert"]


@dataclass(frozen=True, slots=True)
class Shape:
    """All that decides the size and the speed of a dense transformer, and its tokenizer's size."""

    name: str
    title: str
    architecture: Architecture
    n_layer: int
    n_embd: int
    n_head: int
    n_head_kv: int
    head_size: int
    n_ff: int
    n_ctx_train: int
    norm_epsilon: float
    tied: bool  # the output matrix is the token embedding
    n_vocab: int
    n_ordinary: int  # tokens that are not special
    n_merges: int
    rope_base: float | None = None

    @property
    def generates(self) -> bool:
        """Whether it is a decoder; an encoder gives embeddings."""
        return self.architecture != "bert"


_QWEN3_0_6B = Shape(
    name="qwen3-0.6b",
    title="Qwen3 0.6B",
    architecture="qwen3",
    n_layer=28,
    n_embd=1024,
    n_head=16,
    n_head_kv=8,
    head_size=128,
    n_ff=3072,
    n_ctx_train=40960,
    norm_epsilon=1e-6,
    tied=True,
    n_vocab=151936,
    n_ordinary=151643,
    n_merges=151387,
    rope_base=1e6,
)
_QWEN3_4B = replace(_QWEN3_0_6B, name="qwen3-4b", title="Qwen3 4B", n_layer=36, n_embd=2560, n_head=32, n_ff=9728)
_QWEN3_8B = replace(_QWEN3_4B, name="qwen3-8b", title="Qwen3 8B", n_embd=4096, n_ff=12288, tied=False)
_LLAMA_3_1_8B = Shape(
    name="llama-3.1-8b",
    title="Llama 3.1 8B",
    architecture="llama",
    n_layer=32,
    n_embd=4096,
    n_head=32,
    n_head_kv=8,
    head_size=128,
    n_ff=14336,
    n_ctx_train=131072,
    norm_epsilon=1e-5,
    tied=False,
    n_vocab=128256,
    n_ordinary=128000,
    n_merges=280147,
    rope_base=5e5,
)
_MINILM_L6 = Shape(
    name="minilm-l6",
    title="all-MiniLM-L6-v2",
    architecture="bert",
    n_layer=6,
    n_embd=384,
    n_head=12,
    n_head_kv=12,
    head_size=32,
    n_ff=1536,
    n_ctx_train=512,
    norm_epsilon=1e-12,
    tied=True,
    n_vocab=30522,
    n_ordinary=30522,
    n_merges=0,
)

SHAPES: dict[str, Shape] = {
    shape.name: shape for shape in (_QWEN3_0_6B, _QWEN3_4B, _QWEN3_8B, _LLAMA_3_1_8B, _MINILM_L6)
}

_QWEN_SPECIALS = (
    *((f"<|{name}|>", CONTROL) for name in ("endoftext", "im_start", "im_end", "object_ref_start", "object_ref_end")),
    *((f"<|{name}|>", CONTROL) for name in ("box_start", "box_end", "quad_start", "quad_end", "vision_start")),
    *((f"<|{name}|>", CONTROL) for name in ("vision_end", "vision_pad", "image_pad", "video_pad")),
    *((name, USER_DEFINED) for name in ("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>")),
    *((name, USER_DEFINED) for name in ("<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>")),
    *((name, USER_DEFINED) for name in ("<tool_response>", "</tool_response>", "<think>", "</think>")),
)
_LLAMA_SPECIALS = tuple(
    (f"<|{name}|>", CONTROL)
    for name in (
        *("begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1"),
        *("finetune_right_pad_id", "reserved_special_token_2", "start_header_id", "end_header_id"),
        *("eom_id", "eot_id", "python_tag", *(f"reserved_special_token_{number}" for number in range(3, 248))),
    )
)


def find_shape(name: str) -> Shape:
    """The shape of that name, in any case; InputError names those there are."""
    shape = SHAPES.get(name.lower())
    if shape is None:
        raise InputError(f"there is no shape '{name}'", f"choose one of {', '.join(SHAPES)}")
    return shape


def make_vocabulary(shape: Shape) -> Vocabulary:
    """Its tokenizer with the true counts; the special tokens of its family have their true ids."""
    if shape.architecture == "bert":
        return wordpiece_vocabulary(shape.n_vocab)
    llama = shape.architecture == "llama"
    specials = (_LLAMA_SPECIALS if llama else _QWEN_SPECIALS)[: shape.n_vocab - shape.n_ordinary]
    pre = "llama-bpe" if llama else "qwen2"
    return bpe_vocabulary(pre, shape.n_ordinary, shape.n_merges, specials, shape.n_vocab, every_split=llama)
