"""Which routing tier does a model belong to, by the engine's rules?

Facts of S.Y.N.A.P.S.E. engine 5.1.1, backend/app/services/model_discovery.py: reasoning models and those from 14
billion parameters on answer deep queries, those under 7 billion in at most 4 bits fast ones, the rest balanced ones.
"""

from __future__ import annotations

import re
from typing import Literal

from synapse_perf.gguf_files.header import GgufHeader

Tier = Literal["fast", "balanced", "deep"]  # the engine's own name for the last is "powerful"

_DEEP_FROM_BILLIONS = 14.0
_FAST_BELOW_BILLIONS = 7.0
_REASONING = ("r1", "o1", "reasoning", "think")
_FAST_QUANTS = frozenset(("Q2_K", "Q2_K_S", "Q3_K", "Q3_K_M", "Q3_K_S", "Q4_0", "Q4_K", "Q4_K_M", "Q4_K_S"))
_SIZE_IN_NAME = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)


def tier_of(file_name: str, header: GgufHeader) -> Tier:
    """The tier by the file's name, which is what the engine goes by, and by the header where the name says nothing."""
    if any(word in file_name.lower() for word in _REASONING):
        return "deep"
    billions = _billions(file_name, header)
    if billions >= _DEEP_FROM_BILLIONS:
        return "deep"
    return "fast" if billions < _FAST_BELOW_BILLIONS and header.file_type in _FAST_QUANTS else "balanced"


def _billions(file_name: str, header: GgufHeader) -> float:
    named = _SIZE_IN_NAME.search(file_name)
    return float(named[1]) if named else header.parameters / 1e9
