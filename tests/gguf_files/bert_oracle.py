"""What vector does BERT give a text? Written from the description of the model and of its tokenizer, for comparison.

Lower case, accents off, punctuation and CJK characters apart, then the longest known piece first; post-norm
transformer with learned positions, the exact GELU; mean or first token; all in float64.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Floats = NDArray[np.float64]

LONGEST_WORD = 100
CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


class Bert:
    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.pieces = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self.ids = {piece: number for number, piece in enumerate(self.pieces)}
        self.weights = read_safetensors(folder / "model.safetensors")

    def tokens(self, text: str) -> list[int]:
        """All of them, with [CLS] and [SEP]."""
        pieces = [piece for word in words(text) for piece in self._pieces_of(word)]
        return [self.ids[piece] for piece in ("[CLS]", *pieces, "[SEP]")]

    def embed(self, text: str, *, max_tokens: int = 512, pooling: str = "mean") -> Floats:
        """The vector of unit length; a long text loses its end, not its [SEP]."""
        tokens = self.tokens(text)
        if len(tokens) > max_tokens:
            tokens = [*tokens[: max_tokens - 1], tokens[-1]]
        hidden = self._norm("embeddings.LayerNorm", self._inputs(tokens))
        for layer in range(self.config["num_hidden_layers"]):
            hidden = self._layer(f"encoder.layer.{layer}", hidden)
        vector = hidden.mean(axis=0) if pooling == "mean" else hidden[0]
        return np.asarray(vector / np.linalg.norm(vector))

    def _pieces_of(self, word: str) -> list[str]:
        if len(word) > LONGEST_WORD:
            return ["[UNK]"]
        found: list[str] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self.ids:
                    found.append(piece)
                    start = end
                    break
            else:
                return ["[UNK]"]
        return found

    def _inputs(self, tokens: list[int]) -> Floats:
        word = self.weights["embeddings.word_embeddings.weight"][tokens]
        position = self.weights["embeddings.position_embeddings.weight"][: len(tokens)]
        return np.asarray(word + position + self.weights["embeddings.token_type_embeddings.weight"][0])

    def _layer(self, name: str, hidden: Floats) -> Floats:
        heads = self.config["num_attention_heads"]
        query, key, value = (
            self._dense(f"{name}.attention.self.{part}", hidden).reshape(len(hidden), heads, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        attended = (shares @ value).swapaxes(0, 1).reshape(len(hidden), -1)
        hidden = self._norm(
            f"{name}.attention.output.LayerNorm", hidden + self._dense(f"{name}.attention.output.dense", attended)
        )
        inner = self._dense(f"{name}.intermediate.dense", hidden)
        inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2)))
        return self._norm(f"{name}.output.LayerNorm", hidden + self._dense(f"{name}.output.dense", inner))

    def _dense(self, name: str, values: Floats) -> Floats:
        return np.asarray(values @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"])

    def _norm(self, name: str, values: Floats) -> Floats:
        centred = values - values.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return np.asarray(scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"])


def words(text: str) -> list[str]:
    apart = ""
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        if character in "\t\n\r" or category == "Zs":
            apart += " "
        elif character == "\ufffd" or category.startswith("C"):
            continue
        elif any(first <= ord(character) <= last for first, last in CJK):
            apart += f" {character} "
        else:
            apart += character
    plain = "".join(
        character
        for character in unicodedata.normalize("NFD", apart.lower())
        if unicodedata.category(character) != "Mn"
    )
    return "".join(f" {character} " if is_punctuation(character) else character for character in plain).split()


def is_punctuation(character: str) -> bool:
    is_ascii_sign = 33 <= ord(character) <= 126 and not character.isalnum()
    return is_ascii_sign or unicodedata.category(character).startswith("P")


def read_safetensors(path: Path) -> dict[str, Floats]:
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8:start])
    types = {"F32": "<f4", "F16": "<f2"}
    return {
        name: np.frombuffer(content[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]], types[kind])
        .reshape(entry["shape"])
        .astype(np.float64)
        for name, entry in header.items()
        if name != "__metadata__" and (kind := entry["dtype"]) in types
    }
