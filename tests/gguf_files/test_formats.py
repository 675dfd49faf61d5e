"""Are the tables those of the gguf package, which llama.cpp keeps beside its own?"""

from __future__ import annotations

import gguf

from synapse_perf.gguf_files.formats import FILE_TYPES, REMOVED_TENSOR_TYPES, TENSOR_TYPES


def test_every_block_is_as_large_as_the_gguf_package_says() -> None:
    for kind, (elements, size_bytes) in gguf.GGML_QUANT_SIZES.items():
        if kind.name == "Q8_1":
            continue  # 36 bytes in ggml-common.h; releases of the package differ, and files never hold it
        ours = TENSOR_TYPES[int(kind)]
        assert (ours.name, ours.block_elements, ours.block_bytes) == (kind.name, elements, size_bytes)


def test_every_file_type_of_the_gguf_package_has_its_name() -> None:
    for kind in gguf.LlamaFileType:
        if kind.name != "GUESSED":
            name = kind.name.removeprefix("MOSTLY_").removeprefix("ALL_")
            assert FILE_TYPES[int(kind)] == name


def test_no_removed_type_is_in_use() -> None:
    assert REMOVED_TENSOR_TYPES.isdisjoint(TENSOR_TYPES)
