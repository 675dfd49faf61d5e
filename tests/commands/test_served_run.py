"""tier-latency --url: a real server is judged as a model in-process is, and what it loses is never lost in silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.latency_runs import told_here
from tests.faults.program import Told, run
from tests.llama.small_models import Shape, write_model
from tests.outside.chat_server import Answering, Handler, chat_server, delta, finish, streaming
from tests.outside.fake_servers import free_port
from tests.outside.llama_server import llama_server

SERVED = "embedded-tiny"  # a sample, so that a run ends with its last planned trial
FAST, DEEP = "What is a page?", "Design a cache for pages and argue step by step why it must be small."
SHORT = (
    "-n",
    "4",
    "--trials",
    "1",
    "--queries-per-process",
    "2",
    "--seed",
    "1",
    "--quiet",
    "--format",
    "json",
    "--max-time",
    "3m",
)
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 0}}
GOOD = streaming(delta(content="A"), delta(content="B"), finish("length", usage=USAGE), "data: [DONE]\n\n")


class Asking:
    def __init__(self, folder: Path) -> None:
        self.queries = folder / "queries.jsonl"
        lines = [{"prompt": FAST, "tier": "fast"}, {"prompt": DEEP, "tier": "deep"}]
        self.queries.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def __call__(self, *arguments: str | Path, **options: Any) -> Told:
        return run("tier-latency", "--queries", self.queries, *SHORT, *arguments, **options)

    def here(self, *arguments: str | Path, cwd: Path) -> Told:
        """The same in this process, which is quicker: for what ends before any trial."""
        return told_here("tier-latency", "--queries", self.queries, *SHORT, *arguments, env={}, cwd=cwd)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    return Asking(tmp_path_factory.mktemp("served"))


def rows(told: Told, name: str = "query_latency", **labels: str) -> list[dict[str, Any]]:
    return [
        metric
        for metric in told.result["metrics"]
        if metric["name"] == name
        and labels.items() <= metric["labels"].items()
        and ("variant" in labels or "variant" not in metric["labels"])
    ]


def answering(answer: Answering) -> Answering:
    """With a list of one model, which is asked for first."""

    def take(handler: Handler) -> None:
        if handler.command == "GET":
            handler.whole(200, f'{{"data": [{{"id": "{SERVED}"}}]}}')
        else:
            answer(handler)

    return take


# --- a real server ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / f"{SERVED}.gguf", Shape())


@pytest.fixture(scope="module")
def real_url(model: Path) -> Iterator[str]:
    with llama_server(model) as url:
        yield url


def test_a_real_server_is_judged_with_its_parts_and_its_model_in_process_beside_it(
    ask: Asking, real_url: str, model: Path
) -> None:
    told = ask("--url", real_url, "--tier", f"fast={model}", "-c", "512")

    assert told.result["failures"] == []
    assert {metric["labels"]["tier"] for metric in rows(told)} == {"fast", "deep"}
    (fast,) = rows(told, tier="fast")
    facts = fast["trials"][0]["facts"]
    parts = [facts[f"{name}_s"] for name in ("connect", "send", "first_byte", "first_word", "chunks")]
    for total_s, *own in zip(fast["trials"][0]["samples"], *parts, strict=True):
        assert sum(own) == pytest.approx(total_s)
    assert rows(told, tier="fast", variant="prefix=warm")
    assert rows(told, tier="fast", variant="in-process")
    assert not rows(told, tier="deep", variant="in-process")
    assert {check["target"] for check in told.result["checks"]} >= {"query-fast", "query-deep"}


def test_explain_shows_what_a_query_to_a_server_is_made_of(ask: Asking, real_url: str) -> None:
    told = ask("--url", f"fast={real_url}", "--no-variants", "--explain", "--format", "console")
    text = " ".join(told.out.split())
    assert "How each figure is computed" in text
    assert "until first byte" in text


def test_a_server_that_does_not_count_has_its_chunks_in_the_table_of_rates(ask: Asking) -> None:
    uncounted = streaming(delta(content="A"), delta(content="B"), finish("length"), "data: [DONE]\n\n")
    with chat_server(answering(uncounted)) as server:
        told = ask("--url", f"fast={server.url}", "--no-variants", "--format", "console")
    assert "chunks/s" in told.out
    assert "does not count its tokens" in " ".join(told.out.split())


def test_a_fixed_length_that_a_server_does_not_obey_is_told(ask: Asking) -> None:
    with chat_server(answering(GOOD)) as server:
        told = ask("--url", f"fast={server.url}", "--no-variants", "--fixed-length")
    assert any("shorter than the fixed length" in text for text in told.result["warnings"])


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_no_two_cold_queries_begin_alike_and_a_warm_one_is_asked_twice(ask: Asking) -> None:
    with chat_server(answering(GOOD)) as server:
        told = ask("--url", server.url, "--api-key", "secret")

    assert told.result["failures"] == []
    posts = [one for one in server.requests if "body" in one]
    assert all(one["body"]["model"] == SERVED for one in posts)
    assert all(one["headers"]["Authorization"] == "Bearer secret" for one in posts)
    assert "secret" not in told.out + told.err
    said = [(one["body"]["messages"][0]["content"], one["body"]["max_tokens"]) for one in posts]
    assert {text.partition("\n")[2] for text, _ in said} == {FAST, DEEP}
    begun = {text for text, _ in said}
    assert len({text.partition("\n")[0] for text in begun}) == len(begun)
    read_before = [text for text, length in said if length == 1]
    assert read_before
    assert all((text, 4) in said for text in read_before)


def test_each_tier_may_have_its_own_server(ask: Asking) -> None:
    with chat_server(answering(GOOD)) as fast, chat_server(answering(GOOD)) as deep:
        ask("--url", f"fast={fast.url}", "--url", f"powerful={deep.url}", "--no-variants")

    for server, prompt in ((fast, FAST), (deep, DEEP)):
        texts = {one["body"]["messages"][0]["content"] for one in server.requests if "body" in one}
        assert {text.partition("\n")[2] for text in texts} == {prompt}


# --- faults ----------------------------------------------------------------------------------------------------------


def test_a_lost_query_is_past_the_limit_and_told(ask: Asking) -> None:
    posted: list[int] = []

    def sometimes(handler: Handler) -> None:
        posted.append(1)
        if len(posted) % 2 == 0:
            handler.whole(500, '{"error": {"message": "out of slots"}}')
        else:
            GOOD(handler)

    with chat_server(answering(sometimes)) as server:
        told = ask("--url", f"fast={server.url}", "--no-variants", "--target", "query-fast<3s")

    (fast,) = rows(told, tier="fast")
    lost = [
        sample
        for trial in fast["trials"]
        for sample, is_lost in zip(trial["samples"], trial["facts"]["lost"], strict=True)
        if is_lost
    ]
    assert lost and min(lost) >= 60
    assert any("queries were lost and count as past the limit" in text for text in told.result["warnings"])
    assert any("out of slots" in text for text in told.result["warnings"])


def _close(handler: Handler) -> None:
    handler.begin_stream()
    handler.piece(delta(content="A"))
    handler.close_connection = True


def _hang(handler: Handler) -> None:
    handler.ended.wait(30)
    handler.close_connection = True


@pytest.mark.parametrize(
    ("answer", "words", "patience"),
    [
        (lambda handler: handler.whole(503, "{}"), "answers 503", "1m"),
        (lambda handler: handler.whole(429, "{}"), "answers 429", "1m"),
        (streaming("data: garbage\n\n"), "no JSON", "1m"),
        (_close, "broke off", "1m"),
        (_hang, "within 0.5 s", "0.5s"),
    ],
)
def test_a_tier_whose_server_fails_is_told_and_the_other_still_measured(
    ask: Asking, answer: Answering, words: str, patience: str
) -> None:
    with chat_server(answering(answer)) as bad, chat_server(answering(GOOD)) as good:
        urls = ("--url", f"fast={bad.url}", "--url", f"deep={good.url}")
        told = ask(*urls, "--no-variants", "--query-timeout", patience)

    assert told.code == 6
    assert any(words in error for error in told.errors)
    assert rows(told, tier="deep")
    (fast,) = rows(told, tier="fast")
    assert all(sample >= 2 for trial in fast["trials"] for sample in trial["samples"])


def test_a_server_that_is_down_before_anything_is_asked_is_wrong_input_and_the_other_is_measured(ask: Asking) -> None:
    down = f"http://127.0.0.1:{free_port()}"
    with chat_server(answering(GOOD)) as good:
        told = ask("--url", f"fast={down}", "--url", f"deep={good.url}", "--no-variants")

    assert told.code == 2
    assert any(down in error for error in told.errors)
    assert rows(told, tier="deep") and not rows(told, tier="fast")


def test_where_no_server_answers_nothing_is_measured(ask: Asking) -> None:
    down = f"http://127.0.0.1:{free_port()}"
    told = ask("--url", down)
    assert told.code == 2
    (error,) = told.errors
    assert error.startswith(f"nothing answers at {down}")
    assert told.out == ""


def test_a_server_that_goes_down_later_has_failed_and_the_other_is_measured(ask: Asking) -> None:
    """It lists its model, and is gone when its first query comes."""
    listing: list[Any] = []

    def once(handler: Handler) -> None:
        handler.whole(200, f'{{"data": [{{"id": "{SERVED}"}}]}}')
        handler.close_connection = True
        listing[0].stop_listening()

    with chat_server(once) as short, chat_server(answering(GOOD)) as good:
        listing.append(short)
        told = ask("--url", f"fast={short.url}", "--url", f"deep={good.url}", "--no-variants")

    assert told.code == 6
    assert any(short.url in error for error in told.errors)
    assert rows(told, tier="deep") and not rows(told, tier="fast")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "127.0.0.1:8080"), "not an http://"),
        (("--url", "http://127.0.0.1:99999"), "Port out of range"),
        (("--url", "slow=http://127.0.0.1:8080"), "no tier 'slow'"),
        (("--url", "http://me:secret@127.0.0.1:8080"), "no names and passwords"),
        (("--url", "http://127.0.0.1:1", "--url", "http://127.0.0.1:2"), "one for every tier already"),
        (("--url", "http://127.0.0.1:1", "--query-timeout", "soon"), "soon"),
        (("--served-model", "tiny"), "needs a server"),
        (("--url", "http://127.0.0.1:1", "--tune"), "--tune is for models in this process"),
        (("--url", "http://127.0.0.1:1", "-c", "512"), "--ctx-size is for models in this process"),
        (("--url", "fast=http://127.0.0.1:1", "--served-model", "deep=x"), "no --url for that tier"),
        (("--url", "http://127.0.0.1:1", "--concurrency", "1,x"), "'x' is none"),
    ],
)
def test_wrong_input_is_one_line(ask: Asking, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    told = ask.here(*arguments, cwd=tmp_path)
    assert told.code == 2
    (error,) = told.errors
    assert words in error
    assert "secret" not in told.err


def test_a_dry_run_asks_nothing(ask: Asking, tmp_path: Path) -> None:
    with chat_server(answering(GOOD)) as server:
        told = ask.here("--url", server.url, "--dry-run", cwd=tmp_path)
    assert told.code == 0
    assert server.requests == []
