"""Are settings tried that can help on this machine, once each, and written as a user would give them?"""

from __future__ import annotations

import pytest

from synapse_perf.analyze.latency_tuning_settings import (
    Candidate,
    Machine,
    applied,
    candidates_for,
    combined,
    keywords_text,
    options_text,
)
from synapse_perf.llama.settings import LoadSettings

AS_SET = LoadSettings("/m.gguf", n_threads=4)
LAPTOP = Machine(cores=8, physical_cores=8, performance_cores=4)


def names(reference: LoadSettings = AS_SET, machine: Machine = LAPTOP, longest_prompt: int = 60) -> list[str]:
    return [one.name for one in candidates_for(reference, machine, longest_prompt)[0]]


def useless(reference: LoadSettings = AS_SET, machine: Machine = LAPTOP, longest_prompt: int = 60) -> str:
    return "; ".join(candidates_for(reference, machine, longest_prompt)[1])


def test_threads_are_tried_at_all_cores_at_half_of_them_and_at_the_fast_ones() -> None:
    assert names(AS_SET._replace(n_threads=2))[:3] == ["-t 8", "-t 4", "-tb 8"]
    assert names()[:2] == ["-t 8", "-tb 8"]
    assert names(AS_SET._replace(n_threads=8))[0] == "-t 4"


def test_flash_attention_and_the_kv_cache_are_tried_the_other_way() -> None:
    assert names()[-2:] == ["-fa off", "-ctk q8_0 -ctv q8_0"]
    assert names(AS_SET._replace(flash_attn=False))[-2:] == ["-fa on", "-ctk q8_0 -ctv q8_0 -fa on"]
    assert "q8_0" not in " ".join(names(AS_SET._replace(type_k="q8_0", type_v="q8_0")))


def test_offload_is_tried_where_there_is_a_gpu_and_nothing_is_on_it_yet() -> None:
    gpu = Machine(cores=8, has_gpu=True)

    assert names(machine=gpu)[0] == "-ngl 99"
    assert "-ngl" not in " ".join(names(AS_SET._replace(n_gpu_layers=-1), gpu))
    assert "offload: there is no GPU" in useless()
    assert "offload" not in useless(machine=gpu)


@pytest.mark.parametrize(
    ("longest", "batches"),
    [(60, []), (200, ["-ub 128"]), (900, ["-ub 1024 -b 1024", "-ub 128"])],
)
def test_batches_are_tried_only_where_a_prompt_notices(longest: int, batches: list[str]) -> None:
    assert [name for name in names(longest_prompt=longest) if "-ub" in name] == batches
    assert ("batch sizes" in useless(longest_prompt=longest)) is (not batches)


def test_one_core_leaves_no_threads_to_try() -> None:
    assert "threads: 1 is all there is" in useless(AS_SET._replace(n_threads=1), Machine(cores=1))


def test_what_helps_is_put_together_but_for_what_contradicts_a_better_one() -> None:
    faster = [
        Candidate("-t 8", {"n_threads": 8}),
        Candidate("-tb 8", {"n_threads_batch": 8}),
        Candidate("-fa off", {"flash_attn": False}),
        Candidate("-ctk q8_0 -ctv q8_0 -fa on", {"type_k": "q8_0", "type_v": "q8_0", "flash_attn": True}),
    ]
    together = combined(faster)

    assert together is not None
    assert (together.name, dict(together.changes)) == ("-t 8 -fa off", {"n_threads": 8, "flash_attn": False})
    assert combined(faster[:2]) is None
    assert combined([]) is None


def test_options_are_those_of_both_worlds() -> None:
    changes = {"n_threads": 8, "flash_attn": True, "type_k": "q8_0", "n_gpu_layers": -1}

    assert options_text(changes) == "-t 8 -fa on -ctk q8_0 -ngl 99"
    assert keywords_text(changes) == "Llama(n_threads=8, flash_attn=True, type_k=8, n_gpu_layers=-1)"


def test_threads_of_batches_are_no_setting_of_a_load() -> None:
    assert applied(AS_SET, {"n_threads_batch": 8, "n_ubatch": 128}) == AS_SET._replace(n_ubatch=128)
