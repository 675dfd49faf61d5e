from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.load_plan import LoadRequest, ModelUnderTest, patience_s, plan_load, variants
from synapse_perf.llama.settings import DEFAULT_CONTEXT

MODEL = ModelUnderTest("fast", "/m/fast.gguf", ("/m/fast.gguf",), 1000, "d1", "qwen3", is_sample=False)
OTHER = replace(MODEL, label="deep", path="/m/deep.gguf", files=("/m/deep.gguf",), size_bytes=5000)


def test_each_model_is_started_cold_and_warm_with_the_floor_of_each() -> None:
    cases = plan_load([MODEL], LoadRequest())

    assert [(case.spec.arm, case.spec.page_cache, case.is_judged) for case in cases] == [
        ("mmap", "cold", True),
        ("floor", "cold", False),
        ("mmap", "warm", True),
        ("floor", "warm", False),
    ]


def test_only_the_first_of_a_list_is_judged_and_the_others_carry_what_they_change() -> None:
    cases = plan_load([MODEL], LoadRequest(load_modes=("mmap", "read", "mlock"), caches=("cold",)))

    assert [(case.spec.arm, case.spec.labels.get("variant"), case.is_judged) for case in cases[:3]] == [
        ("mmap", None, True),
        ("read", "load_mode=read", False),
        ("mlock", "load_mode=mlock", False),
    ]


def test_lists_multiply() -> None:
    found = variants(MODEL, LoadRequest(load_modes=("mmap", "read"), gpu_layers=(0, 16), threads=(1, 2)))

    assert [label for label, _, _ in found] == [
        "",
        "n_threads=2",
        "n_gpu_layers=16",
        "n_gpu_layers=16,n_threads=2",
        "load_mode=read",
        "load_mode=read,n_threads=2",
        "load_mode=read,n_gpu_layers=16",
        "load_mode=read,n_gpu_layers=16,n_threads=2",
    ]


def test_all_layers_are_called_all() -> None:
    found = variants(MODEL, LoadRequest(gpu_layers=(0, -1)))

    assert [(label, settings.n_gpu_layers) for label, _, settings in found] == [("", 0), ("n_gpu_layers=all", -1)]


def test_a_variant_in_more_than_its_load_mode_is_not_called_by_that_alone() -> None:
    found = variants(MODEL, LoadRequest(load_modes=("mmap", "read"), gpu_layers=(0, 16)))

    assert [arm for _, arm, _ in found] == ["mmap", "n_gpu_layers=16", "read", "load_mode=read,n_gpu_layers=16"]


def test_repacking_is_a_list_like_the_others() -> None:
    found = variants(MODEL, LoadRequest(repacks=(True, False)))

    assert [(label, settings.repack) for label, _, settings in found] == [("", True), ("repack=off", False)]


def test_every_case_has_a_name_of_its_own() -> None:
    request = LoadRequest(load_modes=("mmap", "read"), gpu_layers=(0, 4), in_parallel=True)

    names = [case.name for case in plan_load([MODEL, OTHER], request)]

    assert len(set(names)) == len(names)


def test_a_model_trained_for_less_gets_no_more_context_than_that() -> None:
    short = replace(MODEL, n_ctx_train=512)

    assert variants(short, LoadRequest())[0][2].n_ctx == 512
    assert variants(replace(MODEL, n_ctx_train=131072), LoadRequest())[0][2].n_ctx == DEFAULT_CONTEXT


def test_all_models_at_once_are_loaded_both_ways_where_that_is_asked_for() -> None:
    cases = plan_load([MODEL, OTHER], LoadRequest(in_parallel=True, caches=("warm",)))

    several = [case for case in cases if case.spec.benchmark == "load_several"]
    assert [(case.spec.arm, case.spec.labels.get("variant")) for case in several] == [
        ("sequential", None),
        ("parallel", "order=parallel"),
    ]
    assert several[0].spec.files == ("/m/fast.gguf", "/m/deep.gguf")


def test_one_model_alone_is_never_loaded_in_parallel() -> None:
    cases = plan_load([MODEL], LoadRequest(in_parallel=True))

    assert all(case.spec.benchmark != "load_several" for case in cases)


def test_cold_cases_read_the_file_and_warm_ones_nothing() -> None:
    cases = plan_load([MODEL], LoadRequest())

    assert {case.spec.page_cache: case.reads_bytes for case in cases} == {"cold": 1000, "warm": 0}


@pytest.mark.parametrize(
    ("size_bytes", "max_time_s", "patience"),
    [
        (0, 1.0, 60.0),  # never less than a minute
        (200_000_000, 180.0, 80.0),  # a minute, and 10 MB each second
        (200_000_000, 600.0, 150.0),  # a quarter of the run
        (40_000_000_000, 600.0, 600.0),  # no more than the run
        (4_000_000_000, 3600.0, 900.0),
    ],
)
def test_patience_grows_with_the_file_and_with_the_time_of_the_run(
    size_bytes: int, max_time_s: float, patience: float
) -> None:
    assert patience_s(size_bytes, max_time_s) == patience
