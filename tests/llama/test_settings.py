from __future__ import annotations

import os

import pytest

from synapse_perf.llama.settings import LoadSettings, change_text, layers_text


def test_settings_survive_the_way_to_the_worker() -> None:
    settings = LoadSettings("/m.gguf", n_gpu_layers=-1, device="gpu", rpc_servers=("127.0.0.1:1",))

    assert LoadSettings.from_workload(settings.as_workload()) == settings


def test_threads_that_nobody_chose_are_half_of_the_processors() -> None:
    assert LoadSettings("/m.gguf").threads == max((os.cpu_count() or 1) // 2, 1)
    assert LoadSettings("/m.gguf", n_threads=3).threads == 3


@pytest.mark.parametrize(("count", "text"), [(-1, "all"), (0, "0"), (16, "16")])
def test_a_negative_number_of_layers_means_all(count: int, text: str) -> None:
    assert layers_text(count) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"load_mode": "read"}, "Llama(use_mmap=False); llama-server: --load-mode none"),
        ({"load_mode": "mlock"}, "Llama(use_mmap=True, use_mlock=True); llama-server: --load-mode mmap+mlock"),
        ({"n_gpu_layers": "all"}, "Llama(n_gpu_layers=-1); llama-server: -ngl 99"),
        ({"type_k": "q8_0", "type_v": "f16"}, "Llama(type_k=8, type_v=1); llama-server: -ctk q8_0 -ctv f16"),
        (
            {"load_mode": "read", "n_ctx": "2048", "n_threads": "4"},
            "Llama(use_mmap=False, n_ctx=2048, n_threads=4); llama-server: --load-mode none -c 2048 -t 4",
        ),
        (
            {"load_mode": "direct", "n_gpu_layers": "4"},
            "Llama(n_gpu_layers=4); llama_model_params.load_mode = 4, which Llama() cannot set; "
            "llama-server: --load-mode dio -ngl 4",
        ),
    ],
)
def test_a_change_is_told_for_python_and_for_the_server(changes: dict[str, str], text: str) -> None:
    assert change_text(changes) == text
