"""What a worker tells of an engine: by the tier that answered, lost queries and cached ones never mixed with others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.chat_trials import COMPLEX, SIMPLE, fault, measured, phases, run, values
from tests.outside.chat_server import Handler, chat_server
from tests.outside.engine_server import answer, engine, loop_engine
from tests.outside.fake_servers import free_port

BLOCKED_S, ROUNDS = 0.6, 5


def asking(url: str, mode: str = "simple", **changes: Any) -> dict[str, Any]:
    return {
        "url": url,
        "timeout_s": 20.0,
        "mode": mode,
        "queries": [SIMPLE.as_workload()],
        "max_tokens": 8,
        "temperature": 0.0,
        "use_context": True,
        "limit_s": 2.0,
        "count": 3,
        "asking_s": None,
        **changes,
    }


def test_the_engines_own_figure_and_what_it_leaves_out_add_up(tmp_path: Path) -> None:
    with chat_server(engine()) as server:
        trial = measured("engine_query", asking(server.url), tmp_path)
    first, *others = trial.samples
    assert first.values[0].labels == {"tier": "fast", "complexity": "simple", "state": "first", "variant": "first"}
    assert len(others) == 3
    for sample in others:
        assert sample.values[0].labels == {"tier": "fast", "complexity": "simple"}
        parts = phases(sample)
        assert parts["engine"] == 0.001
        assert abs(parts["engine"] + parts["overhead"] - values(sample)["query_latency"]) < 1e-9
        assert (sample.facts["lost"], sample.facts["connect_s"], sample.facts["response_s"]) == (False, None, 0.0015)
    assert len(server.connections) == 1
    assert trial.facts["asked"] == 3


def test_two_stage_queries_have_their_stages(tmp_path: Path) -> None:
    with chat_server(engine()) as server:
        trial = measured("engine_query", asking(server.url, "two-stage"), tmp_path)
    sample = trial.samples[-1]
    assert sample.values[0].labels == {"tier": "two-stage"}
    assert phases(sample) | {"overhead": 0} == {
        "engine": 0.003,
        "engine.stage1": 0.001,
        "engine.stage2": 0.002,
        "overhead": 0,
    }
    assert sample.facts["answered_by"] == "balanced"
    assert server.requests[0]["body"]["mode"] == "two-stage"


def test_a_query_counts_for_the_tier_that_answered_it(tmp_path: Path) -> None:
    with chat_server(engine(lambda handler: handler.whole(200, json.dumps(answer(modelTier="Q4"))))) as server:
        trial = measured("engine_query", asking(server.url, queries=[COMPLEX.as_workload()]), tmp_path)
    assert {sample.values[0].labels["tier"] for sample in trial.samples} == {"deep"}
    assert trial.samples[0].values[0].labels["complexity"] == "complex"


def test_what_a_cache_answered_is_apart(tmp_path: Path) -> None:
    def every_other(handler: Handler) -> None:
        handler.whole(200, json.dumps(answer(cacheHit=len(handler.requests) % 2 == 0)))

    with chat_server(engine(every_other)) as server:
        trial = measured("engine_query", asking(server.url), tmp_path)
    told = [(sample.values[0].labels.get("variant"), sample.facts["cached"]) for sample in trial.samples]
    assert told == [("first", False), ("cached", True), (None, False), ("cached", True)]


def test_a_lost_query_is_a_sample_beyond_the_limit_and_the_time_out(tmp_path: Path) -> None:
    def dead_after_one(handler: Handler) -> None:
        handler.whole(200, json.dumps(answer(text="A." if len(handler.requests) == 1 else "")))

    with chat_server(engine(dead_after_one)) as server:
        trial = measured("engine_query", asking(server.url, limit_s=25.0), tmp_path)
    for sample in trial.samples[1:]:
        assert values(sample) == {"query_latency": 25.0}
        assert sample.values[0].labels == {"tier": "fast", "complexity": "simple"}
        assert (sample.facts["lost"], sample.facts["lost_kind"]) == (True, "empty")
        assert 0 < sample.facts["after_s"] < 20  # type: ignore[operator]
        assert "\n" not in str(sample.facts["lost_told"])


def test_where_every_query_is_lost_the_process_failed_and_its_samples_are_kept(tmp_path: Path) -> None:
    with chat_server(engine(lambda handler: handler.whole(503, "{}"))) as server:
        trial, _ = run("engine_query", asking(server.url), tmp_path)
    assert trial.failure is not None
    assert trial.failure.message == "no simple query was answered: /api/query answers 503: {}"
    assert [values(sample)["query_latency"] for sample in trial.samples] == [20.0] * 4


def test_the_key_comes_by_the_environment(tmp_path: Path) -> None:
    with chat_server(engine()) as server:
        run("engine_query", asking(server.url), tmp_path, env={"SYNAPSE_PERF_API_KEY": "secret"})
    assert {request["headers"]["Authorization"] for request in server.requests} == {"Bearer secret"}


def test_a_server_that_is_down_from_the_start_fails_in_one_line(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for benchmark in ("engine_query", "engine_service"):
        failure = fault(benchmark, asking(url), tmp_path)
        assert url in failure.message
        assert failure.remedy == "start the server"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [(401, '{"detail": "no key"}', "401: no key"), (404, "{}", "answers 404"), (200, "<!doctype html>", "no JSON")],
)
def test_what_is_no_engine_or_refuses_the_tool_fails_in_one_line(
    status: int, body: str, words: str, tmp_path: Path
) -> None:
    with chat_server(lambda handler: handler.whole(status, body)) as server:
        failure = fault("engine_query", asking(server.url), tmp_path)
    assert words in failure.message
    assert failure.remedy


# --- the service -----------------------------------------------------------------------------------------------------


def waits(trial: Any, **labels: str) -> list[float]:
    found = [one for sample in trial.samples for one in sample.values if one.metric == "health_latency"]
    return [one.value for one in found if labels.items() <= one.labels.items()]


def test_a_blocked_loop_shows_and_a_free_one_does_not(tmp_path: Path) -> None:
    """One beside the other: other work only adds to a wait, so the shortest of a few is the loop's own."""
    longest: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for blocks, found in longest.items():
            with loop_engine(BLOCKED_S, blocks=blocks) as server:
                trial = measured("engine_service", asking(server.url, count=1), tmp_path)
            (polled,) = [sample for sample in trial.samples if sample.values[0].metric == "query_latency"]
            assert polled.values[0].labels == {"mode": "simple", "variant": "health-polled"}
            found.append(max(waits(trial, state="during-query")))
            assert waits(trial, state="idle")
        if min(longest[False]) < min(longest[True]) / 2:
            return
    raise AssertionError(longest)


def test_new_and_kept_connections_come_in_pairs(tmp_path: Path) -> None:
    with chat_server(engine()) as server:
        trial = measured("engine_service", asking(server.url, count=1), tmp_path)
    assert trial.facts["keeps_connections"] is True
    pairs = [[one.labels.get("connection") for one in sample.values] for sample in trial.samples]
    assert pairs[:10] == [["new", "kept"], ["kept", "new"]] * 5


def test_a_service_that_closes_its_connections_is_told(tmp_path: Path) -> None:
    def closing(handler: Handler) -> None:
        engine()(handler)
        handler.close_connection = True

    with chat_server(closing) as server:
        trial = measured("engine_service", asking(server.url, count=1), tmp_path)
    assert trial.facts["keeps_connections"] is False
