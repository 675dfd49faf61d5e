"""Every way in which the engine gives no answer is a lost query told in one line, an empty 200 among them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from synapse_perf.outside.engine_client import EngineAnswer, EngineClient, Mode
from synapse_perf.outside.streamed_answer import QueryLost
from tests.outside.chat_server import Answering, Handler, chat_server
from tests.outside.engine_server import answer, engine, loop_engine
from tests.outside.fake_servers import free_port


def ask(answering: Answering, mode: Mode = "simple", timeout_s: float = 20.0) -> EngineAnswer:
    with chat_server(engine(answering)) as server:
        client = EngineClient(server.url, timeout_s)
        try:
            return client.ask("What is a page?", mode)
        finally:
            client.close()


def whole(status: int, body: Any, kind: str = "application/json", **headers: str) -> Answering:
    text = body if isinstance(body, str) else json.dumps(body)
    return lambda handler: handler.whole(status, text, kind, **headers)


def test_what_the_engine_tells_is_read_beside_the_stamps() -> None:
    told = answer("two-stage", modelTier="Q4", cgragArtifacts=13, processingTimeMs=1800, complexity={"score": 7.5})
    found = ask(whole(200, told, **{"X-Response-Time": "1834.50ms"}), "two-stage")
    assert (found.tier, found.model, found.artifacts, found.is_cached) == ("deep", "tiny_fast", 13, False)
    assert (found.processing_s, found.stage1_s, found.stage2_s) == pytest.approx((1.8, 0.001, 0.002))
    assert (found.response_s, found.score) == pytest.approx((1.8345, 7.5))
    assert found.started_ns <= found.sent_ns <= found.status_ns <= found.ended_ns
    assert found.overhead_s == pytest.approx(found.total_s - 1.8)


@pytest.mark.parametrize(
    ("said", "tier"),
    [("fast", "fast"), ("Q2", "fast"), ("balanced", "balanced"), ("Q3", "balanced"), ("powerful", "deep"), ("x", "")],
)
def test_the_tier_goes_by_every_name_that_the_engine_has_for_it(said: str, tier: str) -> None:
    assert ask(whole(200, answer(modelTier=said))).tier == tier


@pytest.mark.parametrize("metadata", [None, "odd", {"processingTimeMs": "3", "cgragArtifacts": True, "cacheHit": 1}])
def test_figures_that_are_none_are_unknown(metadata: Any) -> None:
    found = ask(whole(200, {"response": "A page.", "metadata": metadata}, **{"X-Response-Time": "soon"}))
    assert (found.text, found.tier, found.is_cached) == ("A page.", "", False)
    assert {found.processing_s, found.stage1_s, found.response_s, found.artifacts, found.overhead_s} == {None}


def test_the_body_is_in_snake_case_and_one_connection_serves_all() -> None:
    with chat_server(engine()) as server:
        client = EngineClient(f"{server.url}/base/api/query", 20, api_key="secret")
        first = client.ask("a", "two-stage", max_tokens=8, temperature=0.0, use_context=False)
        second = client.ask("b")
        client.close()
    assert (first.connected_ns is None, second.connected_ns, second.connect_s) == (False, None, None)
    assert len(server.connections) == 1
    sent = server.requests[0]
    assert (sent["path"], sent["headers"]["Authorization"]) == ("/base/api/query", "Bearer secret")
    wanted = {"query": "a", "mode": "two-stage", "max_tokens": 8, "temperature": 0.0, "use_context": False}
    assert sent["body"] == wanted


def test_a_cached_answer_says_so() -> None:
    assert ask(whole(200, answer(cacheHit=True))).is_cached


def test_a_server_that_closes_each_connection_is_asked_on_a_new_one() -> None:
    def closing(handler: Handler) -> None:
        handler.whole(200, json.dumps(answer()), Connection="close")
        handler.close_connection = True

    with chat_server(engine(closing)) as server:
        client = EngineClient(server.url, 20)
        found = [client.ask("a") for _ in range(2)]
        client.close()
    assert all(one.connect_s is not None and 0 < one.connect_s < one.total_s for one in found)


def test_health_is_asked_again_where_a_kept_connection_ends_as_it_is_used() -> None:
    def once_a_connection(handler: Handler) -> None:
        handler.close_connection = len(handler.requests) in (2, 4, 5)
        if not handler.close_connection:
            handler.whole(200, "{}")

    with chat_server(once_a_connection) as server:
        client = EngineClient(server.url, 20)
        found = [client.health() for _ in range(2)]
        assert (len(server.requests), len(server.connections)) == (3, 2)
        with pytest.raises(QueryLost, match="broke off"):  # twice is no coincidence
            client.health()
    assert all(one.connected_ns is not None for one in found)


# --- lost queries ----------------------------------------------------------------------------------------------------


def _break_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "500")
    handler.end_headers()
    handler.wfile.write(b'{"response": "A')
    handler.close_connection = True


def _close(handler: Handler) -> None:
    handler.close_connection = True


def _hang(handler: Handler) -> None:
    handler.ended.wait(20)
    handler.close_connection = True


def _drip(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.ended.wait(0.05):
        handler.wfile.write(b" ")


NO_MODELS = {"detail": {"error": "no_models_available", "message": "No fast models", "tier": "unknown"}}
WRONG_FIELD = {"detail": [{"type": "literal_error", "loc": ["body", "mode"], "msg": "Input should be 'simple'"}]}


@pytest.mark.parametrize(
    ("answering", "mode", "kind", "words", "remedy"),
    [
        (whole(200, answer(text="")), "simple", "empty", "200 with an empty response of tiny_fast", "start it again"),
        (whole(200, answer(text=" \n")), "simple", "empty", "200 with an empty response", "start it again"),
        (whole(200, {"metadata": {}}), "simple", "no-stream", "no response", "--url"),
        (whole(200, {"response": None}), "simple", "no-stream", "no response", "--url"),
        (whole(200, {"error": "odd"}), "simple", "no-stream", "no response: odd", "--url"),
        (whole(200, "[1]"), "simple", "no-stream", "no JSON object", "port 8000"),
        (whole(200, "<!doctype html>", "text/html"), "simple", "no-stream", "text/html and no JSON", "port 8000"),
        (whole(200, "{"), "simple", "no-stream", "no JSON object", "port 8000"),
        (whole(503, NO_MODELS), "simple", "status", "503: no_models_available: No fast models", "enable a model"),
        (whole(503, {"detail": {"error": "no_models_available"}}), "simple", "status", "no_models_available", "tier"),
        (whole(500, {"detail": {"error": "internal_error"}}), "two-stage", "status", "internal_error", "balanced"),
        (whole(500, "oh", "text/html"), "simple", "status", "500: oh", "log"),
        (whole(422, WRONG_FIELD), "simple", "status", "422: body.mode: Input should be 'simple'", "10000"),
        (whole(429, ""), "simple", "status", "answers 429", "fewer"),
        (whole(401, {"detail": "no key"}), "simple", "status", "401: no key", "--api-key"),
        (whole(404, {"detail": "Not Found"}), "simple", "status", "404: Not Found", "port 8000"),
        (whole(504, "<h1>gateway</h1>"), "simple", "status", "answers 504", "proxy"),
        (whole(307, "", Location="/api/query/"), "simple", "status", "sends to /api/query/", "that URL"),
        (_break_off, "simple", "broken-off", "the server broke off", ""),
        (_close, "simple", "broken-off", "the server broke off", ""),
    ],
)
def test_a_failure_is_a_lost_query_in_one_line(
    answering: Answering, mode: Mode, kind: str, words: str, remedy: str
) -> None:
    with pytest.raises(QueryLost) as caught:
        ask(answering, mode)
    assert "\n" not in str(caught.value)
    assert caught.value.kind == kind
    assert words in str(caught.value)
    assert remedy in caught.value.remedy
    assert caught.value.after_s > 0


@pytest.mark.parametrize("answering", [_hang, _drip])
def test_the_time_is_for_the_whole_query(answering: Answering) -> None:
    with pytest.raises(QueryLost) as caught:
        ask(answering, timeout_s=0.3)
    assert (caught.value.kind, str(caught.value)) == ("time-out", "no whole answer within 0.3 s")


def test_an_engine_that_is_down_is_told_with_its_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    client = EngineClient(url, 5)
    with pytest.raises(QueryLost, match=url) as caught:
        client.ask("a")
    assert caught.value.kind == "unreachable"
    with pytest.raises(QueryLost, match=url):
        client.health()


def test_health_is_json_and_not_the_page_of_another_server() -> None:
    with chat_server(engine()) as server:
        client = EngineClient(server.url, 20)
        first, second = client.health(), client.health()
        client.close()
    assert first.connected_ns is not None and second.connected_ns is None
    assert first.sent_ns < first.ended_ns <= second.sent_ns
    with chat_server(whole(200, "<!doctype html>", "text/html")) as server, pytest.raises(QueryLost, match="no JSON"):
        EngineClient(server.url, 20).health()


def test_an_engine_on_an_event_loop_answers_queries_and_health() -> None:
    with loop_engine(0.01, blocks=False) as server:
        client = EngineClient(server.url, 20)
        assert client.ask("a", "two-stage").tier == "balanced"
        assert client.health().connected_ns is None
        client.close()
