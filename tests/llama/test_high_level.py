"""Is what ``Llama`` streams the same answer as our own loop's, so that the two times can be compared?"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.llama.answer import Wanted
from synapse_perf.llama.generation import ChatModel
from synapse_perf.llama.generation_failure import GenerationFailed
from synapse_perf.llama.high_level import HighLevelChat
from synapse_perf.llama.loading import LoadFailed, low_level_api, start_backend
from synapse_perf.llama.native_log import NativeLog
from synapse_perf.llama.settings import LoadSettings
from tests.llama.chats import ASKED, with_template
from tests.llama.small_models import Shape, write_model
from tests.llama.starts import make

TOKENS = 12


@pytest.fixture
def runtime() -> Iterator[tuple[Any, NativeLog]]:
    from llama_cpp import _logger

    low_level, log = low_level_api(), NativeLog()
    log.install(low_level)
    start_backend(low_level)
    yield low_level, log
    low_level.llama_log_set(_logger.llama_log_callback, ctypes.c_void_p(0))


def settings(path: Path, **changes: Any) -> LoadSettings:
    return LoadSettings(str(path), n_ctx=512, n_threads=1)._replace(**changes)


def test_both_ways_give_one_answer_and_neither_reuses_what_the_other_left(
    runtime: tuple[Any, NativeLog], tmp_path: Path
) -> None:
    high = HighLevelChat(runtime[0], settings(make(tmp_path)), runtime[1])
    chat = ChatModel(runtime[0], high.loaded, runtime[1])
    own = chat.ask(ASKED, Wanted(TOKENS))
    streamed = [high.ask(ASKED, Wanted(TOKENS)) for _ in range(2)]
    again = chat.ask(ASKED, Wanted(TOKENS))
    high.close()
    high.close()

    assert own.tokens == again.tokens
    for answer in streamed:
        assert answer.text == own.text
        assert answer.prompt_tokens == own.prompt_tokens  # evaluated, so none of them was reused
        assert answer.generated_tokens == len(own.tokens) == TOKENS
        assert all(earlier <= later for earlier, later in pairwise(answer.piece_ns))
        assert answer.started_ns < answer.piece_ns[0] <= answer.piece_ns[-1] <= answer.ended_ns


def test_tokens_are_counted_where_an_answer_ends_by_itself(runtime: tuple[Any, NativeLog], tmp_path: Path) -> None:
    path = write_model(tmp_path / "bytes.gguf", Shape())
    high = HighLevelChat(runtime[0], settings(path, n_ctx=2048), runtime[1])
    streamed = [high.ask(ASKED, Wanted(80, temperature=2.0, seed=seed)) for seed in range(12)]
    high.close()

    assert any(answer.generated_tokens < 80 for answer in streamed)
    for answer in streamed:  # a byte that is no part of a character yet comes with the ones that complete it
        assert answer.generated_tokens >= len(answer.piece_ns)


def test_a_file_that_is_no_model_is_told_in_llama_cpps_words(runtime: tuple[Any, NativeLog], tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(100))

    with pytest.raises(LoadFailed, match="gguf"):
        HighLevelChat(runtime[0], settings(path), runtime[1])


def test_a_broken_template_is_told(
    runtime: tuple[Any, NativeLog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_template(tmp_path, "{% if", monkeypatch)

    with pytest.raises(GenerationFailed, match=r"Llama\(\) could not open the model: "):
        HighLevelChat(runtime[0], settings(path), runtime[1])


def test_a_template_that_refuses_the_conversation_is_told(
    runtime: tuple[Any, NativeLog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_template(tmp_path, "{{ raise_exception('only robots') }}", monkeypatch)
    high = HighLevelChat(runtime[0], settings(path), runtime[1])

    with pytest.raises(GenerationFailed, match=r"Llama\(\) could not answer: only robots"):
        high.ask(ASKED, Wanted(1))
    high.close()


@pytest.mark.parametrize("changes", [{"load_mode": "direct"}, {"device": "MTL0"}, {"repack": False}])
def test_what_llama_cannot_be_told_is_refused(
    runtime: tuple[Any, NativeLog], tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(LoadFailed, match=r"Llama\(\) cannot load in this way"):
        HighLevelChat(runtime[0], settings(tmp_path / "any.gguf", **changes), runtime[1])
