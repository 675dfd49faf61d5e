"""Does our own loop give the tokens that a bare one gives, count what it reuses, and account for every nanosecond?"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.llama import loading
from synapse_perf.llama.answer import Answer, Wanted
from synapse_perf.llama.generation import ChatModel
from synapse_perf.llama.generation_failure import GenerationFailed
from synapse_perf.llama.native_log import NativeLog
from tests.llama.chats import ASKED, chatting
from tests.llama.small_models import Shape, write_model
from tests.llama.starts import TINY_BERT, loaded, make

OTHER = [{"role": "user", "content": "Describe the difference between a block and a page."}]
TOKENS = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("generation"))


@pytest.fixture(scope="module")
def bytewise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose tokens are single bytes, few of which are characters."""
    return write_model(tmp_path_factory.mktemp("bytewise") / "bytes.gguf", Shape())


def bare_tokens(path: Path, prompt: str, count: int) -> list[int]:
    """The greedy continuation by llama-cpp-python's own evaluation and sampling."""
    from llama_cpp import Llama

    llama = Llama(str(path), n_ctx=256, n_threads=1, n_threads_batch=1, verbose=False)
    tokens: list[int] = []
    evaluated = llama.tokenize(prompt.encode(), add_bos=False, special=True)
    for _ in range(count):
        llama.eval(evaluated)
        tokens.append(llama.sample(temp=0.0))
        evaluated = tokens[-1:]
    llama.close()
    return tokens


# --- what is answered ------------------------------------------------------------------------------------------------


def test_the_tokens_are_those_of_a_bare_loop(model: Path) -> None:
    with chatting(model) as chat:
        answer = chat.ask(ASKED, Wanted(TOKENS))
        prompt = chat.template.render(ASKED)

    assert list(answer.tokens) == bare_tokens(model, prompt, TOKENS)


def test_a_prompt_longer_than_a_batch_is_read_in_pieces_and_answered_alike(model: Path) -> None:
    with chatting(model, n_ctx=512) as chat:
        whole = chat.ask(ASKED, Wanted(TOKENS))
    with chatting(model, n_ctx=512, n_batch=8, n_ubatch=8) as chat:
        pieces = chat.ask(ASKED, Wanted(TOKENS))

    assert pieces.prompt_tokens == whole.prompt_tokens > 8
    assert pieces.tokens == whole.tokens


def test_greedy_answers_are_always_the_same_and_drawn_ones_follow_their_seed(model: Path) -> None:
    with chatting(model) as chat:
        greedy = {chat.ask(ASKED, Wanted(TOKENS)).tokens for _ in range(3)}
        drawn = {chat.ask(ASKED, Wanted(TOKENS, temperature=1.5, seed=7)).tokens for _ in range(3)}
        others = {chat.ask(ASKED, Wanted(TOKENS, temperature=1.5, seed=seed)).tokens for seed in range(4)}

    assert len(greedy) == len(drawn) == 1
    assert len(others) > 1


def test_characters_are_whole_where_a_token_is_a_part_of_one(bytewise: Path) -> None:
    """The oracle decodes all bytes at once; about a dozen characters of several bytes are among so many."""
    with chatting(bytewise, n_ctx=2048) as chat:
        answer = chat.ask(ASKED, Wanted(600, is_fixed_length=True, temperature=2.0, seed=3))
        data = b"".join(chat._piece_of(token) for token in answer.tokens)

    assert answer.text == data.decode("utf-8", "replace")
    assert any(ord(character) > 127 and character != "\ufffd" for character in answer.text)


def test_an_answer_ends_at_the_models_own_end_unless_its_length_is_fixed(bytewise: Path) -> None:
    """About every third of these answers ends within a hundred tokens; which of them, each C++ library draws anew."""
    with chatting(bytewise, n_ctx=2048) as chat:
        free = [Wanted(1000, temperature=2.0, seed=seed) for seed in range(10)]
        wanted, ended = next((one, answer) for one in free if (answer := chat.ask(ASKED, one)).ended_by == "end")
        went_on = chat.ask(ASKED, wanted._replace(is_fixed_length=True))

    assert len(ended.tokens) < 1000 == len(went_on.tokens)
    assert went_on.tokens[: len(ended.tokens)] == ended.tokens
    assert went_on.ended_by == "length"


def test_an_answer_ends_where_the_context_is_full(model: Path) -> None:
    with chatting(model, n_ctx=256) as chat:
        answer = chat.ask(ASKED, Wanted(1000))

        assert answer.ended_by == "context"
        assert answer.prompt_tokens + len(answer.tokens) == chat.n_ctx


def test_a_text_is_cut_between_tokens_and_characters(model: Path, bytewise: Path) -> None:
    text = "a page of words, and a block of pages"
    with chatting(model) as chat:
        assert chat.cut(text, 1000) == (text, len(chat.tokenise(text)))
        short, count = chat.cut(text, 5)
        assert (count, len(chat.tokenise(short))) == (5, 5)
        assert text.startswith(short)
        assert chat.cut("", 5) == ("", 0)
    with chatting(bytewise) as chat:
        pieces = [chat.cut("ü" * 20, most)[0] for most in range(10)]
        assert set("".join(pieces)) - {"\u2581"} == {"ü"}  # a sign for the blank that this tokenizer begins with


def test_a_long_text_is_cut_where_all_of_it_would_be(model: Path) -> None:
    text = "a page of words, and a block of pages; " * 200
    with chatting(model) as chat:
        short, count = chat.cut(text, 40)
        assert (count, chat.tokenise(short)) == (40, chat.tokenise(text)[:40])
        whole = len(chat.tokenise(text))
        assert chat.cut(text, whole) == (text, whole)
        assert chat.cut(text, 0) == ("", 0)
        blanks = " " * 4000  # far more characters a token than other texts
        assert chat.cut(blanks, 3)[1] <= 3


# --- what the stamps say ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answer(model: Path) -> Answer:
    with chatting(model) as chat:
        return chat.ask(ASKED, Wanted(TOKENS))


def test_the_stamps_ascend(answer: Answer) -> None:
    stamps = [
        *(answer.started_ns, answer.templated_ns, answer.tokenised_ns, answer.prefilled_ns),
        *answer.token_ns,
        answer.ended_ns,
    ]
    assert all(earlier <= later for earlier, later in pairwise(stamps))
    assert len(answer.token_ns) == len(answer.tokens) == TOKENS


def test_the_parts_are_the_whole(answer: Answer) -> None:
    after_prefill_ns = answer.decoding_ns + answer.sampling_ns + answer.detokenising_ns

    assert answer.prefilled_ns + after_prefill_ns == answer.ended_ns
    assert min(answer.decoding_ns, answer.sampling_ns, answer.detokenising_ns) > 0
    assert answer.first_token_s is not None
    assert answer.first_token_s + sum(answer.gaps_s) == pytest.approx(answer.total_s, abs=1e-9)


def test_rates_by_hand() -> None:
    """16 of 20 prompt tokens in 2 s; then 3 tokens within 1 s of the first."""
    stamps = {"started_ns": 0, "templated_ns": 10**9, "tokenised_ns": 2 * 10**9, "prefilled_ns": 4 * 10**9}
    token_ns = (5 * 10**9, 5_500_000_000, 5_600_000_000, 6 * 10**9)
    spent = {"decoding_ns": 0, "sampling_ns": 0, "detokenising_ns": 0, "cpu_ns": 0}
    answer = Answer("", (1, 2, 3, 4), 20, 4, "length", **stamps, token_ns=token_ns, ended_ns=6 * 10**9, **spent)

    assert answer.prefill_rate == pytest.approx(8)
    assert answer.decode_rate == pytest.approx(3)
    assert answer.gaps_s == pytest.approx([0.5, 0.1, 0.4])
    assert (answer.first_token_s, answer.total_s) == (5, 6)
    assert answer._replace(token_ns=token_ns[:1]).decode_rate is None
    assert answer._replace(token_ns=()).first_token_s is None


# --- the prompt-cache trap -------------------------------------------------------------------------------------------


def test_nothing_is_reused_unless_it_is_asked_for(model: Path) -> None:
    with chatting(model) as chat:
        assert [chat.ask(ASKED, Wanted(3)).reused_tokens for _ in range(2)] == [0, 0]


def test_the_same_prompt_again_evaluates_its_last_token_only(model: Path) -> None:
    with chatting(model) as chat:
        cold = chat.ask(ASKED, Wanted(TOKENS))
        warm = chat.ask(ASKED, Wanted(TOKENS), keeps_prefix=True)

    assert warm.reused_tokens == warm.prompt_tokens - 1
    assert warm.tokens == cold.tokens


def test_another_prompt_keeps_what_both_begin_with(model: Path) -> None:
    with chatting(model) as chat:
        first, second = (chat.tokenise(chat.template.render(messages)) for messages in (ASKED, OTHER))
        same = next(place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
        chat.ask(ASKED, Wanted(TOKENS))
        warm = chat.ask(OTHER, Wanted(TOKENS), keeps_prefix=True)
        cold = chat.ask(OTHER, Wanted(TOKENS))

    assert warm.reused_tokens == same > 0
    assert warm.tokens == cold.tokens


def test_a_prompt_that_was_only_read_is_reused(model: Path) -> None:
    with chatting(model) as chat:
        count = chat.read(ASKED)
        assert chat.ask(ASKED, Wanted(1), keeps_prefix=True).reused_tokens == count - 1


def test_after_forgetting_there_is_nothing_to_reuse(model: Path) -> None:
    with chatting(model) as chat:
        chat.ask(ASKED, Wanted(1))
        chat.forget()
        assert chat.ask(ASKED, Wanted(1), keeps_prefix=True).reused_tokens == 0


@pytest.mark.parametrize("keeps_all", [True, False])
def test_sliding_window_attention_reuses_nothing_once_it_has_lost_the_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keeps_all: bool
) -> None:
    """A cache that keeps what has left the window is llama.cpp's choice by itself."""
    make_parameters = loading._context_parameters

    def parameters(*arguments: Any) -> Any:
        made = make_parameters(*arguments)
        made.swa_full = keeps_all
        return made

    monkeypatch.setattr(loading, "_context_parameters", parameters)
    path = write_model(tmp_path / "window.gguf", Shape("gemma3", head_size=32, window=16))
    with chatting(path, n_ctx=1024, n_ubatch=32, n_batch=32) as chat:
        cold = chat.ask(OTHER, Wanted(TOKENS, is_fixed_length=True))
        chat.ask(ASKED, Wanted(300, is_fixed_length=True))
        kept = chat.ask(OTHER, Wanted(TOKENS, is_fixed_length=True), keeps_prefix=True)

    assert (kept.reused_tokens > 0) is keeps_all
    assert kept.tokens == cold.tokens


# --- what cannot be answered -----------------------------------------------------------------------------------------


def test_a_prompt_longer_than_the_context_is_told_with_both_numbers(model: Path) -> None:
    long = [{"role": "user", "content": "a page " * 400}]
    with chatting(model, n_ctx=256) as chat:
        count = chat.count_tokens(long)
        with pytest.raises(GenerationFailed, match=f"the prompt has {count} tokens, the context holds 256$") as caught:
            chat.ask(long, Wanted(1))
        assert chat.ask(ASKED, Wanted(2)).tokens  # and goes on

    assert "-c" in caught.value.remedy


def test_an_answer_of_a_fixed_length_has_to_fit_as_well(model: Path) -> None:
    with chatting(model, n_ctx=256) as chat:
        assert chat.check_length(ASKED, Wanted(256)) == chat.count_tokens(ASKED)
        with pytest.raises(GenerationFailed, match=r"the prompt has \d+ tokens and the answer 256, the context holds"):
            chat.check_length(ASKED, Wanted(256, is_fixed_length=True))


def test_an_encoder_cannot_chat(tmp_path: Path) -> None:
    with (
        loaded(make(tmp_path, TINY_BERT)) as found,
        pytest.raises(GenerationFailed, match="it is an encoder, which cannot chat"),
    ):
        ChatModel(found.low_level, found.model, found.log)


class Failing:
    """llama.cpp's API, but a decode gives another status from some call on, and says why."""

    def __init__(self, api: Any, log: NativeLog, status: int, words: bytes) -> None:
        self._api, self._log, self._status, self._words = api, log, status, words
        self.good_calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def llama_decode(self, context: Any, batch: Any) -> int:
        self.good_calls -= 1
        if self.good_calls >= 0:
            return int(self._api.llama_decode(context, batch))
        if self._words:
            self._log.fragments.append((0, 4, self._words))
        return self._status


@pytest.mark.parametrize("good_calls", [0, 3])
@pytest.mark.parametrize(
    ("status", "words", "told"),
    [
        (-3, b"graph_compute: no device\n", r"could not decode \(status -3\): graph_compute: no device"),
        (-2, b"", r"could not decode \(status -2\): it did not say why"),
        (1, b"", r"could not decode \(status 1\): no room in its KV cache of 256 tokens"),
    ],
)
def test_a_decode_that_fails_is_told_in_llama_cpps_words(
    model: Path, good_calls: int, status: int, words: bytes, told: str
) -> None:
    with loaded(model) as found:
        failing = Failing(found.low_level, found.log, status, words)
        chat = ChatModel(failing, found.model, found.log)
        failing.good_calls = good_calls
        with pytest.raises(GenerationFailed, match=told):
            chat.ask(ASKED, Wanted(TOKENS))
        failing.good_calls = 1000
        assert chat.ask(ASKED, Wanted(1), keeps_prefix=True).reused_tokens == 0
