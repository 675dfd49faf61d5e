"""How much of a model's weights does one token read, by the header of its file?

Decoding a token reads each matrix once. Not read: all but one row of the token embeddings, unless they are the output
matrix as well; the experts that a token is not sent to; layers that only draft further tokens; an encoder's part.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from synapse_perf.gguf_files.header import GgufHeader
from synapse_perf.gguf_files.tensors import TensorInfo

_EMBEDDING, _OUTPUT = "token_embd.weight", "output.weight"
_LOOKED_UP = frozenset((_EMBEDDING, "per_layer_token_embd.weight", "position_embd.weight", "token_types.weight"))
_EXPERTS = re.compile(r"_exps\.")
_LAYER = re.compile(r"blk\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class WeightsRead:
    """For one token: bytes, and multiplications of its own (`output` is not computed for each token of a prompt)."""

    bytes: int
    elements: int
    output_elements: int
    experts_used: int | None = None  # of a mixture of experts
    experts: int | None = None


def weights_read(header: GgufHeader) -> WeightsRead | None:
    """None where the file does not tell how many of its experts are used."""
    used, experts = _count(header, "expert_used_count"), header.expert_count or None
    if experts and not used:
        return None
    names = {tensor.name for tensor in header.tensors}
    output = _OUTPUT if _OUTPUT in names else _EMBEDDING
    share = used / experts if used and experts else 1.0
    read_bytes = elements = output_elements = 0.0
    for tensor in header.tensors:
        part = _part_read(tensor, output, share, header)
        read_bytes += part * tensor.size_bytes
        elements += part * tensor.elements
        output_elements += part * tensor.elements if tensor.name == output else 0.0
    return WeightsRead(round(read_bytes), round(elements), round(output_elements), used if experts else None, experts)


def _part_read(tensor: TensorInfo, output: str, experts_share: float, header: GgufHeader) -> float:
    """The share of a tensor that one token reads."""
    if tensor.name in _LOOKED_UP and tensor.name != output:
        rows = tensor.elements // tensor.shape[0] if tensor.shape and tensor.shape[0] else 1
        return 1 / max(rows, 1)
    if tensor.name.startswith("enc.") or _only_drafts(tensor, header):
        return 0.0
    return experts_share if _EXPERTS.search(tensor.name) else 1.0


def _only_drafts(tensor: TensorInfo, header: GgufHeader) -> bool:
    """Whether it belongs to the last layers, which predict tokens after the next one and are not run."""
    extra, layer = _count(header, "nextn_predict_layers"), _LAYER.match(tensor.name)
    return bool(extra and layer and header.n_layer and int(layer[1]) >= header.n_layer - extra)


def _count(header: GgufHeader, key: str) -> int | None:
    value = header.metadata.get(f"{header.architecture}.{key}")
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
