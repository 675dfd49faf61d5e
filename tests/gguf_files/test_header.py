"""Does a header say what is in the file, and does every broken file end in one clear line?"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gguf as gguf_package
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.formats import ARRAY, INT32, STRING, UINT32
from synapse_perf.gguf_files.header import GgufHeader, read_header
from synapse_perf.gguf_files.synthesis import synthesize
from tests.gguf_files.small_models import (
    ARCHITECTURE,
    TINY_QWEN,
    Tensor,
    entry,
    gguf,
    numbers,
    split_names,
    split_part,
    text,
    write,
)

TOKENS = entry("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 3) + text("a") + text("bc") + text(""))
HEADS = entry("llama.attention.head_count", ARRAY, struct.pack("<IQ", INT32, 2) + struct.pack("<2i", 8, 4))
FULL = [
    ARCHITECTURE,
    entry("general.name", STRING, text("Tiny")),
    numbers("general.file_type", 15),
    numbers("llama.block_count", 2),
    numbers("llama.embedding_length", 64),
    numbers("llama.context_length", 128),
    numbers("llama.attention.head_count", 4),
    numbers("llama.expert_count", 0),
    TOKENS,
]


def problem(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_header(path)
    assert "\n" not in caught.value.message
    assert caught.value.remedy
    return caught.value


@pytest.fixture(scope="module")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(TINY_QWEN, "q4_k_m", tmp_path_factory.mktemp("model") / "tiny.gguf")


def test_the_facts_are_those_of_the_metadata(tmp_path: Path) -> None:
    header = read_header(write(tmp_path, gguf(FULL)))
    assert (header.architecture, header.name, header.file_type) == ("llama", "Tiny", "Q4_K_M")
    assert (header.n_layer, header.n_embd, header.n_head, header.n_ctx_train) == (2, 64, 4, 128)
    assert (header.n_vocab, header.expert_count, header.gguf_version) == (3, 0, 3)


def test_heads_of_keys_and_head_sizes_follow_from_the_heads_where_not_said(tmp_path: Path) -> None:
    header = read_header(write(tmp_path, gguf(FULL)))
    assert (header.n_head_kv, header.key_length, header.value_length) == (4, 16, 16)


def test_what_is_not_said_is_none_and_not_zero(tmp_path: Path) -> None:
    header = read_header(write(tmp_path, gguf()))
    assert (header.name, header.n_layer, header.n_vocab, header.expert_count, header.sliding_window) == (None,) * 5


def test_heads_may_differ_from_layer_to_layer(tmp_path: Path) -> None:
    assert read_header(write(tmp_path, gguf([ARCHITECTURE, HEADS]))).n_head == (8, 4)


def test_a_number_where_a_text_belongs_counts_as_not_said(tmp_path: Path) -> None:
    path = write(tmp_path, gguf([ARCHITECTURE, entry("llama.block_count", STRING, text("many"))]))
    assert read_header(path).n_layer is None


def test_an_unsaid_file_type_is_that_of_most_matrices(tmp_path: Path) -> None:
    tensors = [Tensor("a", (256, 2), 0), Tensor("b", (32,), 1), Tensor("c", (32,), 1)]
    data = bytes(256 * 2 * 4 + 64 + 64)
    path = write(tmp_path, gguf([ARCHITECTURE], [*tensors[:1]], data=data))
    assert read_header(path).file_type == "F32"


def test_header_and_tensors_are_those_that_the_gguf_package_reads(synthesised: Path) -> None:
    header, theirs = read_header(synthesised), gguf_package.GGUFReader(synthesised)
    assert header.tensor_data_offset == theirs.data_offset
    assert [tensor.name for tensor in header.tensors] == [tensor.name for tensor in theirs.tensors]
    for ours, other in zip(header.tensors, theirs.tensors, strict=True):
        assert ours.shape == tuple(int(length) for length in other.shape)
        assert (ours.type, ours.size_bytes) == (other.tensor_type.name, other.n_bytes)
        assert ours.offset + header.tensor_data_offset == other.data_offset


def test_the_size_is_that_of_the_file(synthesised: Path) -> None:
    assert read_header(synthesised).size_bytes == synthesised.stat().st_size


def test_the_digest_changes_with_the_header_and_with_the_size(tmp_path: Path) -> None:
    headers = [
        read_header(write(tmp_path, gguf(FULL), "a.gguf")),
        read_header(write(tmp_path, gguf(FULL[:-1]), "b.gguf")),
        read_header(write(tmp_path, gguf(FULL) + bytes(32), "c.gguf")),
    ]
    assert len({header.digest for header in headers}) == 3
    assert read_header(write(tmp_path, gguf(FULL), "d.gguf")).digest == headers[0].digest


@pytest.mark.parametrize(
    ("architecture", "generates"), [("llama", True), ("nomic-bert-moe", False), ("gemma-embedding", False)]
)
def test_an_encoder_is_told_from_a_model_that_generates(tmp_path: Path, architecture: str, generates: bool) -> None:
    path = write(tmp_path, gguf([entry("general.architecture", STRING, text(architecture))]))
    assert read_header(path).generates is generates


# --- split models ----------------------------------------------------------------------------------------------------


def write_split(folder: Path, count: int, leave_out: int | None = None) -> list[Path]:
    paths = []
    for index, name in enumerate(split_names("big", count)):
        if index != leave_out:
            write(folder, split_part(index, count, [Tensor(f"t{index}")]), name)
        paths.append(folder / name)
    return paths


def test_a_split_model_is_read_as_one(tmp_path: Path) -> None:
    paths = write_split(tmp_path, 3)
    header = read_header(paths[0])
    assert (header.split_count, header.parts) == (3, tuple(paths))
    assert [tensor.name for tensor in header.tensors] == ["t0", "t1", "t2"]
    assert header.size_bytes == sum(path.stat().st_size for path in paths)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    paths = write_split(tmp_path, 3, leave_out=1)
    assert paths[1].name in problem(paths[0]).message


def test_another_part_than_the_first_names_the_first(tmp_path: Path) -> None:
    paths = write_split(tmp_path, 3)
    assert paths[0].name in problem(paths[2]).remedy


def test_a_part_that_is_another_part_is_named(tmp_path: Path) -> None:
    paths = write_split(tmp_path, 3)
    paths[1].write_bytes(paths[2].read_bytes())
    assert paths[1].name in problem(paths[0]).message


def test_a_renamed_part_says_how_it_must_be_named(tmp_path: Path) -> None:
    assert "-00001-of-00003.gguf" in problem(write(tmp_path, split_part(0, 3), "renamed.gguf")).remedy


# --- what is no GGUF file --------------------------------------------------------------------------------------------


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "does not exist" in problem(tmp_path / "none.gguf").message


def test_a_directory_is_told(tmp_path: Path) -> None:
    assert "is a directory" in problem(tmp_path).message


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    assert "is empty" in problem(write(tmp_path, b"")).message


def test_a_pipe_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    assert "not a regular file" in problem(tmp_path / "pipe.gguf").message


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything, so a test under root becomes somebody else for a moment."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, gguf())
    path.chmod(0)
    with as_nobody():
        assert "may not be read" in problem(path).message


def test_a_name_that_no_file_can_have_is_told(tmp_path: Path) -> None:
    assert "cannot be read" in problem(tmp_path / "nul\0.gguf").message
    assert "cannot be read" in problem(tmp_path / ("x" * 300)).message


@pytest.mark.parametrize(
    ("content", "looks_like"),
    [
        (struct.pack("<Q", 40) + b'{"weight":{"dtype":"F16"}}', "safetensors"),
        (b"tjgg\x03\x00\x00\x00" + bytes(64), "ggjt"),
        (b"lmgg" + bytes(64), "before GGUF"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git-lfs"),
        (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "HTML"),
        (b"  <html><head></head></html>", "HTML"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
        (b'{"error": "not found"}', "JSON"),
        (b"Entry not found\n", "text"),
        (b"PK\x03\x04" + bytes(64), "zip archive"),
        (b"\x80\x02}q\x00.", "pickle"),
        (b"\x1f\x8b\x08" + bytes(64), "gzip"),
        (bytes(4096), "zeros"),
        (b"\x7fELF" + bytes(64), "ELF"),
    ],
)
def test_the_message_says_what_another_file_looks_like(tmp_path: Path, content: bytes, looks_like: str) -> None:
    message = problem(write(tmp_path, content)).message
    assert "not a GGUF file" in message
    assert looks_like in message


# --- what is broken --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1, 4, 2**31])
def test_an_unsupported_version_is_named(tmp_path: Path, version: int) -> None:
    message = problem(write(tmp_path, gguf(version=version))).message
    assert str(version) in message or "big-endian" in message


def test_a_big_endian_file_is_told(tmp_path: Path) -> None:
    assert "big-endian" in problem(write(tmp_path, b"GGUF" + struct.pack(">IQQ", 3, 0, 0))).message


@pytest.mark.parametrize(
    ("length", "where"), [(3, "header"), (10, "header"), (23, "header"), (30, "metadata"), (80, "list of tensors")]
)
def test_a_cut_off_file_says_in_which_part(tmp_path: Path, length: int, where: str) -> None:
    message = problem(write(tmp_path, gguf()[:length])).message
    assert where in message
    assert "cut off" in message or "more than fit" in message


def test_cut_off_tensor_data_says_how_much_is_missing(tmp_path: Path) -> None:
    assert "tensor data, 100 of 256 bytes are missing" in problem(write(tmp_path, gguf()[:-100])).message


@pytest.mark.parametrize("counts", [(2**63, 1), (2**40, 1), (2, 2**63), (2, 2**32)])
def test_an_absurd_count_is_refused_without_reading_that_far(tmp_path: Path, counts: tuple[int, int]) -> None:
    assert "more than fit" in problem(write(tmp_path, gguf(counts=counts))).message


@pytest.mark.parametrize("kind", [STRING, UINT32])
def test_an_absurd_array_is_refused_without_reading_that_far(tmp_path: Path, kind: int) -> None:
    array = entry("a", ARRAY, struct.pack("<IQ", kind, 2**61))
    assert "cut off in its metadata" in problem(write(tmp_path, gguf([array]))).message


def test_an_absurd_string_is_refused(tmp_path: Path) -> None:
    for length in (2**63, 2**31, 2**20):
        problem(write(tmp_path, gguf([struct.pack("<Q", length) + b"x" * 64])))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gguf([]), "names no architecture"),
        (gguf([ARCHITECTURE, ARCHITECTURE]), "names 'general.architecture' twice"),
        (gguf([ARCHITECTURE, entry("x", 99, b"")]), "unknown type 99"),
        (gguf([ARCHITECTURE, entry("x", ARRAY, struct.pack("<IQ", ARRAY, 1))]), "array of unknown type"),
        (gguf([ARCHITECTURE, entry("", UINT32, bytes(4))]), "entry without a name"),
        (gguf([ARCHITECTURE, numbers("general.alignment", 24)]), "not a power of two"),
        (gguf([ARCHITECTURE, numbers("general.alignment", 0)]), "not a power of two"),
        (gguf(tensors=[Tensor("a"), Tensor("a")]), "lists tensor 'a' twice"),
        (gguf(tensors=[Tensor("a" * 64)]), "longer than 63 bytes"),
        (gguf(tensors=[Tensor("a", (1, 1, 1, 1, 1))]), "claims 5 dimensions"),
        (gguf(tensors=[Tensor("a", (2**62, 2**62))], data=b""), "absurd shape"),
        (gguf(tensors=[Tensor("a", kind=4)]), "removed type 4"),
        (gguf(tensors=[Tensor("a", kind=1000)]), "unknown type 1000"),
        (gguf(tensors=[Tensor("a", (33,), kind=8)]), "no whole blocks of Q8_0"),
        (gguf(tensors=[Tensor("a", offset=4)]), "misaligned"),
        (gguf(tensors=[Tensor("a"), Tensor("b", offset=2**40)], data=bytes(256)), "outside the file"),
        (gguf(tensors=[Tensor("a"), Tensor("b", offset=32)], data=bytes(256)), "expects it at 128"),
    ],
)
def test_a_broken_file_says_what_is_broken(tmp_path: Path, content: bytes, told: str) -> None:
    assert told in problem(write(tmp_path, content)).message


def test_a_name_with_control_characters_cannot_break_the_line(tmp_path: Path) -> None:
    assert "a??b" in problem(write(tmp_path, gguf(tensors=[Tensor("a\n\x1bb", kind=1000)]))).message


def read_or_refuse(path: Path) -> GgufHeader | None:
    try:
        return read_header(path)
    except InputError as error:
        assert "\n" not in error.message
        return None


def test_a_file_cut_at_any_byte_is_refused(tmp_path: Path) -> None:
    whole = gguf([*FULL, HEADS.replace(b"llama.attention.head_count", b"llama.attention.head_cnt_x")])
    path = tmp_path / "cut.gguf"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_or_refuse(path) is None
    path.write_bytes(whole)
    assert read_or_refuse(path) is not None


def test_any_flipped_bit_is_read_or_refused_but_never_a_traceback(tmp_path: Path) -> None:
    whole = gguf(FULL)
    path = tmp_path / "flipped.gguf"
    for position in range(len(whole) - 256):
        for bit in (0, 6, 7):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            read_or_refuse(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_arbitrary_damage_is_read_or_refused_but_never_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    damaged = bytearray(gguf(FULL))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(4, len(damaged) - 1))
        damaged[position : position + 8] = data.draw(st.binary(min_size=0, max_size=12))
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damaged)
    read_or_refuse(path)


def test_random_bytes_after_the_magic_are_refused(tmp_path: Path) -> None:
    source = random.Random(1)
    path = tmp_path / "random.gguf"
    for size in range(0, 400, 7):
        path.write_bytes(b"GGUF" + struct.pack("<I", 3) + source.randbytes(size))
        assert read_or_refuse(path) is None
