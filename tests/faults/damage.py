"""Copies of a whole model, each with one fault; patches keep the length, so that all else stays in its place."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

from synapse_perf.gguf_files.header import read_header
from tests.gguf_files.small_models import Tensor, gguf, split_names, split_part, text

TENSOR = "blk.3.ffn_up.weight"
Damage = Callable[[Path, Path], Path]  # of the whole model, into a folder: the damaged one


def _written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / f"{name}.gguf"
    path.write_bytes(content)
    return path


def _patched(whole: bytes, position: int, new: bytes) -> bytes:
    return whole[:position] + new + whole[position + len(new) :]


def _tensor_entry(whole: bytes) -> int:
    """Where the shape of TENSOR stands, which has two dimensions: 16 bytes, then its type and its offset."""
    return whole.index(text(TENSOR)) + len(text(TENSOR)) + 4


def missing(_whole: Path, folder: Path) -> Path:
    return folder / "missing.gguf"


def directory(_whole: Path, folder: Path) -> Path:
    path = folder / "directory.gguf"
    path.mkdir()
    return path


def empty(_whole: Path, folder: Path) -> Path:
    return _written(folder, "empty", b"")


def wrong_magic(whole: Path, folder: Path) -> Path:
    return _written(folder, "magic", b"PK\x03\x04" + whole.read_bytes()[4:])


def cut_in_header(whole: Path, folder: Path) -> Path:
    return _written(folder, "cut-header", whole.read_bytes()[:3000])


def cut_in_tensors(whole: Path, folder: Path) -> Path:
    return _written(folder, "cut-tensors", whole.read_bytes()[:-100_000])


def out_of_range(whole: Path, folder: Path) -> Path:
    content = whole.read_bytes()
    return _written(folder, "range", _patched(content, _tensor_entry(content) + 20, struct.pack("<Q", 2**40)))


def unknown_type(whole: Path, folder: Path) -> Path:
    content = whole.read_bytes()
    return _written(folder, "type", _patched(content, _tensor_entry(content) + 16, struct.pack("<I", 99)))


def split_without_a_part(_whole: Path, folder: Path) -> Path:
    name = split_names("split", 3)[0]
    (folder / name).write_bytes(split_part(0, 3))
    return folder / name


def larger_than_memory(_whole: Path, folder: Path) -> Path:
    """A header that claims a terabyte, and a sparse file that has it."""
    header = gguf(tensors=[Tensor("token_embd.weight", (2**20, 2**18))], data=b"")
    path = _written(folder, "larger", header)
    os.truncate(path, len(header) + 2**40)
    return path


def pipe(_whole: Path, folder: Path) -> Path:
    path = folder / "pipe.gguf"
    os.mkfifo(path)
    return path


def loop(_whole: Path, folder: Path) -> Path:
    path = folder / "loop.gguf"
    path.symlink_to(path)
    return path


def dangling(_whole: Path, folder: Path) -> Path:
    path = folder / "dangling.gguf"
    path.symlink_to("gone.gguf")
    return path


def endless(_whole: Path, folder: Path) -> Path:
    path = folder / "endless.gguf"
    path.symlink_to("/dev/zero")
    return path


# --- what only llama.cpp sees ----------------------------------------------------------------------------------------


def unknown_architecture(whole: Path, folder: Path) -> Path:
    content = whole.read_bytes()
    architecture = read_header(whole).architecture.encode()
    unknown = architecture[:-1] + b"x"
    return _written(folder, "architecture", _patched(content, content.index(text(architecture)) + 8, unknown))


def turned_tensor(whole: Path, folder: Path) -> Path:
    """Its two dimensions exchanged: as many bytes, another shape."""
    content = whole.read_bytes()
    position = _tensor_entry(content)
    first, second = struct.unpack_from("<2Q", content, position)
    return _written(folder, "turned", _patched(content, position, struct.pack("<2Q", second, first)))


def renamed_tensor(whole: Path, folder: Path) -> Path:
    content = whole.read_bytes()
    return _written(folder, "renamed", content.replace(TENSOR.encode(), TENSOR.replace("up", "uq").encode()))


def unknown_tokenizer(whole: Path, folder: Path) -> Path:
    content = whole.read_bytes()
    return _written(folder, "tokenizer", content.replace(text(b"gpt2"), text(b"gptx"), 1))


def no_layers(whole: Path, folder: Path) -> Path:
    """An assertion of llama.cpp's, which aborts the process."""
    content = whole.read_bytes()
    key = text(f"{read_header(whole).architecture}.block_count")
    return _written(folder, "layers", _patched(content, content.index(key) + len(key) + 4, struct.pack("<I", 0)))


# The words of the one line that tells it.
BEFORE_MEASURING: dict[Damage, str] = {
    missing: "missing.gguf does not exist",
    directory: "directory.gguf is a directory without a GGUF model",
    empty: "empty.gguf is empty",
    wrong_magic: "magic.gguf is not a GGUF file: it looks like a zip archive, as PyTorch checkpoints are",
    cut_in_header: "cut-header.gguf: the file is cut off in its metadata, at least ",
    cut_in_tensors: "cut-tensors.gguf: the file is cut off in its tensor data, 100000 of ",
    out_of_range: f"range.gguf: tensor '{TENSOR}' lies at 1099511627776 of the tensor data, outside the file; ",
    unknown_type: f"type.gguf: tensor '{TENSOR}' has an unknown type 99",
    split_without_a_part: "2 of 3 parts missing: split-00002-of-00003.gguf, split-00003-of-00003.gguf",
    larger_than_memory: "larger: its 1024 GiB are more than the whole memory here, ",
    pipe: "pipe.gguf is not a regular file",
    loop: "loop.gguf cannot be read: too many levels of symbolic links",
    dangling: "dangling.gguf is a link to gone.gguf, which does not exist",
    endless: "endless.gguf is not a regular file",
}
BY_LLAMA_CPP: dict[Damage, str] = {
    unknown_architecture: "architecture, warm, mmap: llama_model_load: error loading model: "
    "unknown model architecture: 'qwenx'",
    turned_tensor: f"tensor '{TENSOR}' has wrong shape; expected",
    renamed_tensor: f"tensor '{TENSOR}' not found",
    unknown_tokenizer: "unknown tokenizer: 'gptx'",
    no_layers: "the worker died of SIGABRT in the stage: loading the model: GGML_ASSERT(hparams.n_layer",
}
