"""A streamed answer is stamped at its words, counted by the server or said to be not, and never lost in silence."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.outside.chat_client import ChatClient
from synapse_perf.outside.streamed_answer import QueryLost, Served
from tests.llama.small_models import Shape, write_model
from tests.outside.chat_server import Answering, Handler, chat_server, delta, event, finish, streaming
from tests.outside.fake_servers import free_port
from tests.outside.llama_server import llama_server

ASKED = [{"role": "user", "content": "What is a page?"}]
ROLE, DONE = delta(role="assistant", content=""), "data: [DONE]\n\n"
USAGE = {"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}}


def ask(answering: Answering, timeout_s: float = 20.0) -> Served:
    with chat_server(answering) as server:
        client = ChatClient(server.url, timeout_s)
        try:
            return client.ask(ASKED, 8)
        finally:
            client.close()


def lost(answering: Answering, timeout_s: float = 20.0) -> QueryLost:
    with pytest.raises(QueryLost) as caught:
        ask(answering, timeout_s)
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_first_token_is_the_first_word_and_not_the_role() -> None:
    served = ask(streaming(ROLE, delta(content=None), delta(content="A"), finish(), DONE))
    assert (served.text, len(served.piece_ns)) == ("A", 1)
    assert served.first_token_s == (served.piece_ns[0] - served.started_ns) * 1e-9


def test_thinking_is_text_that_is_waited_for_as_well() -> None:
    served = ask(streaming(ROLE, delta(reasoning_content="hm"), delta(content="A"), finish(), DONE))
    assert (served.text, len(served.piece_ns)) == ("hmA", 2)


def test_the_servers_own_counts_are_taken() -> None:
    served = ask(streaming(delta(content="A"), delta(content="B"), finish("length"), event({"choices": [], **USAGE})))
    assert (served.prompt_tokens, served.generated_tokens, served.reused_tokens) == (9, 2, 4)
    assert (served.is_counted, served.ended_by) == (True, "length")


def test_the_counts_of_llama_server_are_taken() -> None:
    timings = {"prompt_n": 3, "cache_n": 5, "predicted_n": 1, "prompt_ms": 12.5}
    served = ask(streaming(delta(content="A"), finish(timings=timings), DONE))
    assert (served.generated_tokens, served.reused_tokens, served.timings["prompt_ms"]) == (1, 5, 12.5)


def test_without_a_count_pieces_stand_for_tokens_and_it_says_so() -> None:
    served = ask(streaming(delta(content="A"), delta(content="B"), finish(), DONE))
    assert (served.generated_tokens, served.is_counted, served.reused_tokens) == (2, False, None)
    assert served.decode_rate is None


def test_pieces_of_several_tokens_give_no_rate() -> None:
    usage = {"completion_tokens": 7}
    served = ask(streaming(delta(content="A B C"), delta(content="D"), finish(usage=usage), DONE))
    assert not served.is_token_by_token
    assert served.decode_rate is None


def test_an_end_without_done_is_an_end() -> None:
    assert ask(streaming(delta(content="A"), finish())).ended_by == "stop"


def test_one_connection_serves_all_queries_and_a_lost_one_is_replaced() -> None:
    asked: list[int] = []

    def answer(handler: Handler) -> None:
        asked.append(1)
        if len(asked) == 3:
            handler.whole(503, "{}")
        else:
            streaming(delta(content="A"), finish(), DONE)(handler)

    with chat_server(answer) as server:
        client = ChatClient(server.url, 20)
        assert client.ask(ASKED, 8).connected_ns is not None
        assert client.ask(ASKED, 8).connected_ns is None
        assert len(server.connections) == 1
        with pytest.raises(QueryLost):
            client.ask(ASKED, 8)
        assert client.ask(ASKED, 8).connected_ns is not None
        client.close()


def test_a_connection_that_the_server_has_closed_is_opened_anew() -> None:
    def answer(handler: Handler) -> None:
        streaming(delta(content="A"), finish(), DONE)(handler)
        handler.close_connection = True  # without telling

    with chat_server(answer) as server:
        client = ChatClient(server.url, 20)
        first = client.ask(ASKED, 8)
        assert client._kept._connection is not None
        wrapped: Any = client._kept._connection.sock
        wrapped.sock.recv(1, socket.MSG_PEEK)  # until its end has arrived
        assert first.connected_ns is not None
        assert client.ask(ASKED, 8).connected_ns is not None
        client.close()


def test_key_model_and_settings_are_sent() -> None:
    with chat_server(streaming(delta(content="A"), finish(), DONE)) as server:
        client = ChatClient(f"{server.url}/api/v1/", 20, model="tiny", api_key="secret")
        client.ask(ASKED, 8, temperature=0.0, cache_prompt=False)
        client.close()
    (sent,) = server.requests
    assert sent["path"] == "/api/v1/chat/completions"
    assert sent["headers"]["Authorization"] == "Bearer secret"
    assert sent["body"] == {
        "model": "tiny",
        "messages": ASKED,
        "max_tokens": 8,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.0,
        "cache_prompt": False,
    }


# --- lost queries ----------------------------------------------------------------------------------------------------


def _break_off(handler: Handler) -> None:
    handler.begin_stream()
    handler.piece(delta(content="A"))
    handler.close_connection = True


def _hang(handler: Handler) -> None:
    handler.ended.wait(20)
    handler.close_connection = True


def _drip(handler: Handler) -> None:
    """A sign of life now and then, and never an answer."""
    handler.begin_stream()
    while not handler.ended.wait(0.05):
        handler.piece(": still here\n\n")


def _whole(status: int, body: str, kind: str = "application/json", **headers: str) -> Answering:
    return lambda handler: handler.whole(status, body, kind, **headers)


@pytest.mark.parametrize(
    ("answering", "kind", "words"),
    [
        (_whole(401, '{"error": {"message": "no key"}}'), "status", "answers 401: no key"),
        (_whole(404, '{"detail": "Not Found"}'), "status", "answers 404: Not Found"),
        (_whole(429, ""), "status", "answers 429"),
        (_whole(500, "<h1>oh</h1>", "text/html"), "status", "answers 500: <h1>oh</h1>"),
        (_whole(503, '{"error": {"message": "Loading model"}}'), "status", "answers 503: Loading model"),
        (_whole(307, "", Location="/elsewhere"), "status", "answers 307 and sends to /elsewhere"),
        (_whole(200, "<!doctype html>", "text/html"), "no-stream", "text/html and no stream"),
        (_whole(200, '{"choices": []}'), "no-stream", "application/json and no stream"),
        (streaming("data: ï¿½{{{\n\n"), "no-stream", "an event is no JSON"),
        (streaming("data: [1]\n\n"), "no-stream", "an event is no object"),
        (streaming(ROLE, finish(), DONE), "empty", "without a word"),
        (streaming(delta(content="A")), "broken-off", "ended in mid-answer, after 1 pieces"),
        (streaming(delta(content="A"), event({"error": {"message": "slot lost"}})), "broken-off", "slot lost"),
        (streaming('error: {"message": "slot lost"}\n\n'), "broken-off", "slot lost"),
        (_break_off, "broken-off", "the server broke off"),
    ],
)
def test_a_faulty_answer_is_a_lost_query_in_one_line(answering: Answering, kind: str, words: str) -> None:
    error = lost(answering)
    assert error.kind == kind
    assert words in str(error)
    assert error.after_s > 0


@pytest.mark.parametrize("answering", [_hang, _drip])
def test_the_time_is_for_the_whole_query(answering: Answering) -> None:
    error = lost(answering, timeout_s=0.3)
    assert (error.kind, str(error)) == ("time-out", "no whole answer within 0.3 s")


def test_a_server_that_is_down_is_told_with_its_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(QueryLost) as caught:
        ChatClient(url, 5).ask(ASKED, 8)
    assert caught.value.kind == "unreachable"
    assert url in str(caught.value)


def test_the_models_of_a_server_are_listed() -> None:
    with chat_server(_whole(200, '{"data": [{"id": "a"}, {"id": "b"}]}')) as server:
        client = ChatClient(server.url, 20)
        assert client.served_models() == ["a", "b"]
        client.close()
    assert server.requests[0]["path"] == "/v1/models"


@pytest.mark.parametrize("body", ["<html>", "[]", '{"data": 3}', '{"data": [{}]}'])
def test_what_is_no_list_of_models_is_told(body: str) -> None:
    with chat_server(_whole(200, body)) as server, pytest.raises(QueryLost, match="no list of models"):
        ChatClient(server.url, 20).served_models()


# --- a real server ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with llama_server(write_model(tmp_path_factory.mktemp("model") / "tiny.gguf", Shape())) as url:
        yield url


def test_a_real_server_answers(real_url: str, tmp_path: Path) -> None:
    client = ChatClient(real_url, 60)
    served = [client.ask(ASKED, 6, temperature=0.0) for _ in range(2)]
    client.close()
    assert served[0].text == served[1].text
    assert all(one.ended_by in ("length", "stop") and one.piece_ns for one in served)
    assert all(one.started_ns <= one.sent_ns <= one.status_ns <= one.piece_ns[0] <= one.ended_ns for one in served)
