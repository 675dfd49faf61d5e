"""What does the metadata of a synthesised model say, so that llama.cpp takes it for the model whose shape it has?"""

from __future__ import annotations

from collections.abc import Iterator

from synapse_perf.gguf_files.encoding import Entry
from synapse_perf.gguf_files.formats import BOOL, FLOAT32, INT32, STRING, UINT32
from synapse_perf.gguf_files.header import SAMPLE_KEY
from synapse_perf.gguf_files.shapes import Shape
from synapse_perf.gguf_files.tensor_plan import file_type_number
from synapse_perf.gguf_files.vocabulary import Vocabulary

_QUANTISATION_VERSION = 2
_MEAN_POOLING = 1

_CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_LLAMA_CHAT = (
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)


def model_metadata(shape: Shape, quant: str, vocabulary: Vocabulary, made_by: str) -> list[Entry]:
    """All entries in the usual order; `made_by` says how to make the file again, and marks it as a sample."""
    return [
        *_general(shape, quant, made_by),
        *_architecture(shape),
        *_tokenizer(vocabulary),
        *_special_tokens(shape, vocabulary),
    ]


def _general(shape: Shape, quant: str, made_by: str) -> Iterator[Entry]:
    yield Entry("general.architecture", STRING, shape.architecture)
    yield Entry("general.type", STRING, "model")
    yield Entry("general.name", STRING, f"{shape.title} shape, random weights")
    yield Entry("general.file_type", UINT32, file_type_number(quant))
    yield Entry("general.quantization_version", UINT32, _QUANTISATION_VERSION)
    yield Entry(SAMPLE_KEY, STRING, made_by)


def _architecture(shape: Shape) -> Iterator[Entry]:
    prefix = shape.architecture
    yield Entry(f"{prefix}.block_count", UINT32, shape.n_layer)
    yield Entry(f"{prefix}.context_length", UINT32, shape.n_ctx_train)
    yield Entry(f"{prefix}.embedding_length", UINT32, shape.n_embd)
    yield Entry(f"{prefix}.feed_forward_length", UINT32, shape.n_ff)
    yield Entry(f"{prefix}.attention.head_count", UINT32, shape.n_head)
    if not shape.generates:
        yield Entry(f"{prefix}.attention.layer_norm_epsilon", FLOAT32, shape.norm_epsilon)
        yield Entry(f"{prefix}.attention.causal", BOOL, False)
        yield Entry(f"{prefix}.pooling_type", UINT32, _MEAN_POOLING)
        return
    yield Entry(f"{prefix}.attention.head_count_kv", UINT32, shape.n_head_kv)
    yield Entry(f"{prefix}.attention.layer_norm_rms_epsilon", FLOAT32, shape.norm_epsilon)
    yield Entry(f"{prefix}.attention.key_length", UINT32, shape.head_size)
    yield Entry(f"{prefix}.attention.value_length", UINT32, shape.head_size)
    yield Entry(f"{prefix}.rope.dimension_count", UINT32, shape.head_size)
    yield Entry(f"{prefix}.rope.freq_base", FLOAT32, shape.rope_base or 0.0)
    yield Entry(f"{prefix}.vocab_size", UINT32, shape.n_vocab)


def _tokenizer(vocabulary: Vocabulary) -> Iterator[Entry]:
    yield Entry("tokenizer.ggml.model", STRING, vocabulary.model)
    yield Entry("tokenizer.ggml.pre", STRING, vocabulary.pre)
    yield Entry("tokenizer.ggml.tokens", STRING, vocabulary.tokens, is_array=True)
    yield Entry("tokenizer.ggml.token_type", INT32, vocabulary.types, is_array=True)
    if vocabulary.merges:
        yield Entry("tokenizer.ggml.merges", STRING, vocabulary.merges, is_array=True)


def _special_tokens(shape: Shape, vocabulary: Vocabulary) -> Iterator[Entry]:
    if shape.architecture == "bert":
        yield Entry("tokenizer.ggml.token_type_count", UINT32, 2)
        named = {"unknown": "[UNK]", "seperator": "[SEP]", "padding": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
        template = ""
    elif shape.architecture == "llama":
        named = {"bos": "<|begin_of_text|>", "eos": "<|eot_id|>", "padding": "<|finetune_right_pad_id|>"}
        template = _LLAMA_CHAT
    else:
        named = {"bos": "<|endoftext|>", "eos": "<|im_end|>", "padding": "<|endoftext|>"}
        template = _CHATML
    for use, token in named.items():
        yield Entry(f"tokenizer.ggml.{use}_token_id", UINT32, vocabulary.token_id(token))
    if template:
        yield Entry("tokenizer.ggml.add_bos_token", BOOL, shape.architecture == "llama")
        yield Entry("tokenizer.chat_template", STRING, template)
