"""Does the reader take what the format allows, and refuse every header that lies?"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.safetensors_file import SafetensorsFile
from tests.gguf_files.small_bert import with_header, write_safetensors

VALUES = np.arange(6, dtype="<f4").reshape(2, 3)


def entry(start: Any = 0, end: Any = 24, shape: Any = (2, 3), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def refused(path: Path, content: bytes) -> InputError:
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        SafetensorsFile(path)
    assert caught.value.message.isprintable()
    assert caught.value.remedy
    return caught.value


def test_values_and_an_empty_tensor_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {"a": VALUES, "none": np.zeros((0, 4), "<f4"), "b": VALUES + 1})
    file = SafetensorsFile(path)
    assert list(file.tensors) == ["a", "none", "b"]
    assert (file.read("a", (2, 3)) == VALUES).all()
    assert file.read("none", (0, 4)).shape == (0, 4)
    assert (file.read("b", (2, 3)) == VALUES + 1).all()


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ({"a": entry(0, 24), "b": entry(20, 44)}, 'tensor "b" does not lie where the one before ends'),
        ({"a": entry(8, 32)}, 'tensor "a" does not lie'),
        ({"a": entry(0, 24), "b": entry(24, 48)}, "it is cut off, 24 of"),
        ({"a": entry(0, 2**40, [2**38])}, "it is cut off"),
        ({"a": entry(0, 2**63, [2**61])}, "describes tensor"),
        ({"a": entry(-24, 0)}, "describes tensor"),
        ({"a": entry(0, 24.0)}, "describes tensor"),
        ({"a": entry(0, True)}, "describes tensor"),
        ({"a": entry(0, 24, [2, -3])}, "describes tensor"),
        ({"a": entry(0, 24, [1] * 99)}, "describes tensor"),
        ({"a": entry(0, 24, "23")}, "describes tensor"),
        ({"a": entry(0, 20)}, "other F32 data than its shape [2, 3] needs"),
        ({"a": entry(dtype="Q4")}, 'the unknown type "Q4"'),
        ({"a": entry(dtype=4)}, "describes tensor"),
        ({"a": {}}, "does not say where tensor"),
        ({"a": None}, "does not say where tensor"),
        ({"a": entry() | {"data_offsets": [0]}}, "does not say where tensor"),
        ({"\x1b[2Jname": {}}, "does not say where tensor"),
        ([], "no table of tensors"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, header: object, told: str) -> None:
    assert told in refused(tmp_path / "m.safetensors", with_header(header) + VALUES.tobytes()).message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cut off in its header"),
        (b"\x10", "cut off in its header"),
        (struct.pack("<Q", 2**63) + b"{}", "cut off in its header"),
        (struct.pack("<Q", 17 * 1024**2) + bytes(18 * 1024**2), "its header claims 17825792 bytes"),
        (struct.pack("<Q", 0) + b"{}", "its header claims 0 bytes"),
        (struct.pack("<Q", 3) + b"{{}", "no JSON"),
        (struct.pack("<Q", 10**6) + b"[" * 10**6, "no JSON"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer"),
    ],
)
def test_what_is_no_safetensors_file_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    assert told in refused(tmp_path / "m.safetensors", content).message


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.safetensors")
    with pytest.raises(InputError, match="not a regular file"):
        SafetensorsFile(tmp_path / "m.safetensors")


@given(cut=st.integers(0, 200), flipped=st.integers(0, 10**6), value=st.integers(0, 255))
def test_no_damage_is_more_than_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flipped: int, value: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    write_safetensors(path, {"a": VALUES, "b": VALUES})
    content = bytearray(path.read_bytes())
    content[flipped % len(content)] = value
    path.write_bytes(content[: max(1, len(content) - cut)])
    try:
        SafetensorsFile(path).read("a", (2, 3))
    except InputError as error:
        assert error.message.isprintable()
