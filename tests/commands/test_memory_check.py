"""What cannot work for lack of memory is refused before it is measured, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.analyze.load_plan import LoadRequest
from synapse_perf.commands.memory_check import check_memory, may_offload
from synapse_perf.commands.model_choice import Choice, choose_models
from synapse_perf.errors import InputError
from synapse_perf.host.free_memory import MainMemory
from synapse_perf.profiles import load_profile
from synapse_perf.units import GIB, KIB, MIB
from tests.llama.small_models import Shape, write_model

ROOMY = MainMemory(64 * GIB, 32 * GIB)
CPU = LoadRequest(device="cpu")
PER_TOKEN = 2 * 2 * 64 * 2  # layers, K and V, width, bytes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "tiny.gguf", Shape())
    write_model(folder / "wide.gguf", Shape(kv_heads=16, heads=16, head_size=128))
    return folder


def choice(folder: Path, *names: str) -> Choice:
    return choose_models([str(folder / f"{name}.gguf") for name in names], load_profile(None), quiet=True)


def sized(chosen: Choice, size_bytes: int) -> Choice:
    """The same models, as large as that by their files."""
    return replace(chosen, models=tuple(replace(model, size_bytes=size_bytes) for model in chosen.models))


def refusal(chosen: Choice, request: LoadRequest, memory: MainMemory = ROOMY) -> InputError:
    with pytest.raises(InputError) as caught:
        check_memory(chosen, request, memory)
    return caught.value


def test_what_fits_is_left_alone(folder: Path) -> None:
    chosen = choice(folder, "tiny", "wide")
    checked = check_memory(chosen, CPU, ROOMY)
    assert (checked.choice, checked.request, checked.warnings) == (chosen, CPU, ())


def test_a_mapped_model_larger_than_the_whole_memory_is_refused(folder: Path) -> None:
    error = refusal(sized(choice(folder, "tiny"), 65 * GIB), CPU)
    assert "65.0 GiB are more than the whole memory here, 64.0 GiB" in error.message
    assert "smaller model" in error.remedy


def test_a_mapped_model_larger_than_what_is_available_will_page(folder: Path) -> None:
    checked = check_memory(sized(choice(folder, "tiny"), 40 * GIB), CPU, ROOMY)
    assert len(checked.choice.models) == 1
    assert "dropped and read again" in checked.warnings[0]


@pytest.mark.parametrize("mode", ["read", "mlock", "direct"])
def test_weights_that_have_to_stay_in_memory_need_it_available(folder: Path, mode: str) -> None:
    error = refusal(sized(choice(folder, "tiny"), 33 * GIB), replace(CPU, load_modes=(mode,)))
    assert f"loading with {mode} needs 33.0 GiB" in error.message
    assert "--load-mode mmap" in error.remedy


def test_a_context_too_large_for_the_memory_is_refused_with_one_that_fits(folder: Path) -> None:
    memory = MainMemory(64 * GIB, 512 * KIB * 8)
    error = refusal(sized(choice(folder, "tiny"), 0), replace(CPU, contexts=(16384,)), memory)
    assert "the KV cache of a context of 16384 takes 8.00 MiB alone, 4.00 MiB of memory are available" in error.message
    assert error.remedy == f"choose a context of {4 * MIB // PER_TOKEN} or less (-c)"


def test_a_cache_type_that_llama_cpp_refuses_for_the_model_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "odd.gguf", Shape(kv_heads=1, head_size=16))
    error = refusal(choice(tmp_path, "odd"), replace(CPU, types_k=("q8_0",)))
    assert error.message.startswith("odd: a KV cache of type q8_0 stores blocks of 32 values")


def test_a_quantised_v_cache_needs_flash_attention(folder: Path) -> None:
    request = replace(CPU, types_v=("f16", "q8_0"), flash_attn=False)
    assert "q8_0 needs flash attention" in refusal(choice(folder, "tiny"), request).message
    assert check_memory(choice(folder, "tiny"), replace(request, flash_attn=None), ROOMY).warnings == ()


def test_the_other_models_are_still_measured(folder: Path) -> None:
    """32 MiB: 8192 tokens take 4 MiB of one model and 128 MiB of the other."""
    chosen = sized(choice(folder, "tiny", "wide"), 0)
    checked = check_memory(chosen, replace(CPU, contexts=(8192,)), MainMemory(64 * GIB, 32 * MIB))
    assert [model.label for model in checked.choice.models] == ["tiny"]
    (failure,) = checked.choice.unusable
    assert failure.labels == {"model": "wide"}
    assert "128 MiB alone" in failure.message


def test_models_that_do_not_fit_at_once_are_not_loaded_at_once(folder: Path) -> None:
    chosen, request = sized(choice(folder, "tiny", "wide"), 20 * GIB), replace(CPU, in_parallel=True)
    checked = check_memory(chosen, request, ROOMY)
    assert not checked.request.in_parallel
    assert "together they need 40.1 GiB, 32.0 GiB are available" in checked.warnings[0]
    assert check_memory(sized(chosen, GIB), request, ROOMY).request.in_parallel


def test_main_memory_decides_nothing_where_a_gpu_may_take_the_model(folder: Path) -> None:
    remote = LoadRequest(gpu_layers=(-1,), rpc_servers=("127.0.0.1:1",), load_modes=("read",))
    assert check_memory(sized(choice(folder, "tiny"), 100 * GIB), remote, ROOMY).warnings == ()


@pytest.mark.parametrize(
    ("request_", "has_gpu", "offloads"),
    [
        (LoadRequest(), True, False),
        (LoadRequest(gpu_layers=(0, 8), device="cpu"), True, False),
        (LoadRequest(gpu_layers=(8,)), False, False),
        (LoadRequest(gpu_layers=(0,), rpc_servers=("h:1",)), False, True),
    ],
)
def test_layers_go_to_a_gpu_only_where_there_is_one(request_: LoadRequest, has_gpu: bool, offloads: bool) -> None:
    assert may_offload(request_, lambda: has_gpu) is offloads


@pytest.mark.parametrize(("system", "offloads"), [("Linux", True), ("Darwin", False)])
def test_apple_silicon_has_one_memory_for_all(monkeypatch: pytest.MonkeyPatch, system: str, offloads: bool) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    assert may_offload(LoadRequest(gpu_layers=(-1,)), lambda: True) is offloads
