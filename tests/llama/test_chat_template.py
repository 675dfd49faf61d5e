"""Does a model see its conversation as its own template says, and is a broken template told in one line?"""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.llama.generation_failure import GenerationFailed
from tests.gguf_files.small_models import TINY_LLAMA
from tests.llama.chats import ASKED, chatting, with_template
from tests.llama.starts import make

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]


def test_the_template_in_the_file_is_rendered_up_to_where_the_answer_begins(tmp_path: Path) -> None:
    with chatting(make(tmp_path)) as chat:
        assert chat.template.source == "model"
        assert chat.template.render(CHAT) == (
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
        )


def test_the_token_that_begins_a_text_is_there_once(tmp_path: Path) -> None:
    with chatting(make(tmp_path, TINY_LLAMA)) as chat:
        prompt = chat.template.render(CHAT)
        tokens = chat.tokenise(prompt)

    assert prompt.startswith("<|begin_of_text|><|start_header_id|>system")
    assert tokens.count(tokens[0]) == 1


def test_a_model_without_a_template_gets_chatml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chatting(with_template(tmp_path, "", monkeypatch)) as chat:
        assert chat.template.source == "chatml"
        assert chat.template.render(CHAT) == (
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
        )


def test_text_of_every_kind_comes_through_chatml_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Grüße, 你好 🙂 " * 40
    with chatting(with_template(tmp_path, "", monkeypatch)) as chat:
        assert text in chat.template.render([{"role": "user", "content": text}])


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("fine\n{% for message in messages %}{{ message }}", r"is broken in line 2: Unexpected end of template"),
        ("{{ message.content | nonsense }}", r"is broken in line 1: No filter named 'nonsense'"),
    ],
)
def test_a_template_that_cannot_be_compiled_fails_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str, told: str
) -> None:
    path = with_template(tmp_path, template, monkeypatch)
    with pytest.raises(GenerationFailed, match=f"the model's chat template {told}") as caught, chatting(path):
        pass
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ raise_exception('only robots may speak') }}", "only robots may speak"),
        ("{{ messages[7].content }}", "list object has no element 7"),
        ("{{ 1 / 0 }}", "division by zero"),
    ],
)
def test_a_template_that_fails_on_a_conversation_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str, told: str
) -> None:
    with (
        chatting(with_template(tmp_path, template, monkeypatch)) as chat,
        pytest.raises(GenerationFailed, match=f"the model's chat template is broken.*: {told}"),
    ):
        chat.template.render(ASKED)
