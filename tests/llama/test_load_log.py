"""What a log says of a load is read as llama.cpp means it, in each era."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.llama.load_log import LoadLog, ShaderLibrary, read_load, read_loads
from synapse_perf.llama.log_context import KvCache
from synapse_perf.llama.log_devices import DeviceLine
from synapse_perf.llama.log_lines import LogLine, join_fragments, read_text
from synapse_perf.units import GIB, MIB
from tests.llama.log_fixtures import NAMES, lines_of
from tests.llama.small_models import Shape, capture, write_model


def log_of(name: str) -> LoadLog:
    return read_loads(lines_of(name))[0]


def of_words(*words: str) -> LoadLog:
    return read_load([LogLine(None, None, text) for text in words])


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("cuda-2026-out-of-memory",)])
def test_every_log_tells_of_its_placement(name: str) -> None:
    log = log_of(name)
    assert log.placement.used_device is not None
    assert log.placement.buffer_bytes("model") > 0
    assert log.context.n_ctx is not None


def test_the_model_of_2024() -> None:
    model = log_of("cuda-2024-b2296").model
    assert model.path == "../models-mnt/open-llama/7B-v2/ggml-model-q4_k.gguf"
    assert (model.architecture, model.name, model.file_type) == ("llama", "open-llama", "Q4_K - Medium")
    assert (model.parameters, model.n_layer, model.n_ctx_train) == (6_740_000_000, 32, 2048)
    assert (model.size_bytes, model.bits_per_weight) == (round(3.80 * GIB), 4.84)
    assert (model.vocabulary_type, model.n_vocab, model.tensors, model.gguf_version) == (
        *("SPM", 32000, 291),
        "GGUF V3 (latest)",
    )


def test_the_model_of_2025() -> None:
    model = log_of("metal-2025-b4707").model
    assert (model.architecture, model.file_type, model.n_vocab) == ("bert", "Q8_0", 30522)
    assert model.size_bytes == round(34.38 * MIB)


def test_devices_of_each_era() -> None:
    assert log_of("cuda-2024-b2296").placement.devices == (DeviceLine("CUDA0", "Tesla V100-PCIE-16GB", None, None),)
    assert log_of("metal-2024-b2296").placement.devices == (DeviceLine("Metal", "Apple M1", None, None),)
    assert log_of("metal-2025-b4707").placement.devices == (DeviceLine("Metal", "Apple M4", None, 10922 * MIB),)
    (device,) = log_of("rocm-early-2026").placement.devices
    assert device == DeviceLine("ROCm1", "AMD Radeon RX 9070 XT", "0000:03:00.0", 16152 * MIB)
    (device,) = log_of("metal-2026").placement.devices
    assert device == DeviceLine("MTL0", "Apple M4 Pro", None, 16384 * MIB)


def test_a_description_with_brackets_of_its_own_is_kept_whole() -> None:
    log = of_words("x: using device Vulkan0 (Radeon 8060S Graphics (RADV GFX1151)) - 87722 MiB free")
    assert log.placement.devices[0].description == "Radeon 8060S Graphics (RADV GFX1151)"


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("cuda-2024-b2296", None),  # this build says neither how it reads nor which buffers are mapped
        ("cuda-2024-b4343", "mmap"),
        ("metal-2025-b4707", "mmap"),
        ("rocm-early-2026", "none"),
        ("cpu-2026", "mmap"),
    ],
)
def test_the_load_mode_of_each_era(name: str, mode: str | None) -> None:
    log = log_of(name)
    assert (log.mode.requested, log.mode.in_effect) == (mode, mode)


def test_a_lock_that_failed_is_not_in_effect() -> None:
    mode = log_of("metal-2026").mode
    assert (mode.requested, mode.in_effect) == ("mmap+mlock", "mmap")
    assert mode.mlock_failed == "Resource temporarily unavailable"


def test_direct_io_that_fell_back_is_not_in_effect() -> None:
    log = of_words(
        "Failed to open file 'm.gguf' with error: Invalid argument. Falling back to buffered I/O",
        "load_tensors: loading model tensors, this can take a while... (load_mode = dio)",
    )
    assert (log.mode.requested, log.mode.in_effect, log.mode.direct_io_fell_back) == ("dio", "none", True)


def test_booleans_of_early_2026_name_a_mode() -> None:
    log = of_words("load_tensors: loading model tensors, this can take a while... (mmap = false, direct_io = true)")
    assert log.mode.requested == "dio"


def test_what_only_metal_says() -> None:
    metal = log_of("metal-2026").metal
    assert metal.limit_bytes == 17_179_890_000  # printed in decimal MB
    assert metal.over_committed
    assert metal.shader_library == ShaderLibrary(14.639, 20, "cold")
    assert metal.pipelines_compiled == 2


def test_shaders_from_the_cache_are_warm() -> None:
    words = (
        "ggml_metal_library_compile_all: loaded 35 libraries from embedded data in 0.052 sec (max single = 0.052 sec)"
    )
    assert of_words(words).metal.shader_library == ShaderLibrary(0.052, 35, "warm")


def test_the_context_of_2026() -> None:
    context = log_of("rocm-early-2026").context
    assert (context.n_ctx, context.n_batch, context.n_ubatch) == (31488, 2048, 512)
    assert context.flash_attention == "on"  # was auto
    assert context.kv_caches == (KvCache(4920 * MIB, 31488, 40, "f16", "f16", 2460 * MIB, 2460 * MIB),)
    assert (context.graph_nodes, context.graph_splits) == (1329, 2)
    assert context.reserve_s == pytest.approx(0.04634)


def test_the_context_of_2024() -> None:
    context = log_of("cuda-2024-b4343").context
    assert (context.n_ctx, context.flash_attention, context.kv_bytes) == (2048, "off", 640 * MIB)
    assert (context.graph_nodes, context.graph_splits) == (1287, 2)


def test_threads_and_the_build() -> None:
    log = log_of("cuda-2024-b4343")
    assert (log.threads, log.build) == (1, "4343 (0006f5a74)")
    assert log.system_info is not None and log.system_info.startswith("n_threads = 1")
    assert log.timed and not log_of("cuda-2024-b2296").timed


def test_the_cause_of_a_failure_comes_first_in_llama_cpps_own_words() -> None:
    errors = log_of("cuda-2026-out-of-memory").errors
    assert errors[:3] == (
        "cudaMalloc failed: out of memory",
        "failed to allocate CUDA2 buffer of size 138774596736",
        "unable to allocate CUDA2 buffer",
    )
    assert errors[-1] == "failed to load model"


def test_warnings_worth_telling() -> None:
    warnings = log_of("cuda-2026-out-of-memory").warnings
    assert len(warnings) == 1 and "tensor overrides to CPU" in warnings[0]
    assert log_of("cuda-2026-out-of-memory").mode.overrides_with_mmap


def test_a_failed_live_load_tells_why(tmp_path: Path) -> None:
    """llama-cpp-python itself drops these words unless it is verbose."""
    path = write_model(tmp_path / "cut.gguf", Shape())
    path.write_bytes(path.read_bytes()[:-4096])
    taken = capture(path)
    log = read_load(join_fragments(taken.fragments))
    assert log.errors and "within the file bounds" in log.errors[0]
    assert log.warnings == ()


def test_a_cancelled_and_a_partial_load() -> None:
    log = of_words(
        "done_getting_tensors: partial load \u2014 used 18 of 866 tensors in the file (rest belong to a sibling)",
        "llama_model_load_from_file_impl: cancelled model load",
    )
    assert (log.partial_load, log.cancelled) == ((18, 866), True)


def test_a_size_that_is_no_number_is_not_known() -> None:
    model = of_words("print_info: file size   = 0.00 MiB (-nan BPW) ").model
    assert (model.size_bytes, model.bits_per_weight) == (0, None)


def test_nothing_is_claimed_of_a_log_of_something_else() -> None:
    log = read_load(read_text("INFO:     Started server process [1]\nINFO:     Application startup complete.\n"))
    assert (log.era, log.model.path, log.placement.used_device, log.context.n_ctx, log.errors) == (
        *(None, None, None, None),
        (),
    )


def test_a_split_model_has_several_files() -> None:
    assert of_words("llama_model_loader: additional 2 GGUFs metadata loaded.").model.files == 3
