"""tier-latency against an engine, whole: judged queries, what the engine tells, the service, and what goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from synapse_perf.analyze.latency_plan import LatencyRequest
from synapse_perf.analyze.query_set import Query
from synapse_perf.cli import app
from synapse_perf.commands.engine_run import EngineRun
from synapse_perf.commands.latency_options import LatencyOptions
from synapse_perf.commands.options import CommonOptions
from synapse_perf.commands.served_options import ServedOptions
from synapse_perf.errors import InputError
from synapse_perf.profiles import load_profile
from synapse_perf.results import load
from tests.benchmarks.chat_trials import COMPLEX, SIMPLE
from tests.outside.chat_server import Handler, chat_server
from tests.outside.engine_server import answer, engine
from tests.outside.fake_servers import free_port


def run(
    url: str, *queries: Query, output: Path, trials: int = 6, served: dict[str, Any] | None = None, **changes: Any
) -> tuple[int, Any]:
    """With few queries and without the service, unless `changes` to the request ask for more."""
    common = CommonOptions(trials=trials, seed=1, quiet=True, output=[output], max_time="5m")
    few: dict[str, Any] = {"queries_per_process": 2, "wants_high_level": False}
    options = ServedOptions(**{"url": [url], "api": "synapse", "query_timeout": "20s", **(served or {})})
    request = LatencyRequest(**{**few, **changes})
    asked = LatencyOptions(served=options, common=common)
    one = EngineRun(load_profile("embedded"), asked, queries or (SIMPLE,), request)
    return one.measure(None), load(output)


def test_queries_in_both_modes_are_judged_with_the_engines_own_figures_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with chat_server(engine()) as server:
        code, result = run(server.url, SIMPLE, COMPLEX, output=tmp_path / "r.json", queries_per_process=3)
    statuses = {check.target: check.status for check in result.checks}
    assert (statuses["query-fast"], statuses["query-two-stage"]) == ("pass", "pass")
    assert code in (0, 3)
    shown = capsys.readouterr().out
    assert "The engine around its models" in shown
    assert "two-stage" in shown
    assert any("with another tier" in warning for warning in result.warnings)
    assert result.workload["models"] == ["tiny_fast"]
    assert server.url not in json.dumps(result.workload)


def test_the_service_is_measured_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with chat_server(engine()) as server:
        _, result = run(server.url, output=tmp_path / "r.json", trials=2, wants_high_level=True, overlaps=())
    states = {metric.labels.get("state") for metric in result.metrics if metric.name == "health_latency"}
    assert {"idle", "during-query"} <= states
    assert "event-loop-blocked" not in [finding.id for finding in result.findings]
    assert "health URL, during a query" in " ".join(capsys.readouterr().out.split())


def test_an_empty_answer_in_between_is_lost_and_counts_against_the_target(tmp_path: Path) -> None:
    def often_dead(handler: Handler) -> None:
        is_dead = len(handler.requests) % 3 == 0
        handler.whole(200, json.dumps(answer(text="" if is_dead else "A page.")))

    with chat_server(engine(often_dead)) as server:
        code, result = run(server.url, output=tmp_path / "r.json", overlaps=(), queries_per_process=12)
    (check,) = [one for one in result.checks if one.target == "query-fast"]
    assert code in (1, 3) and check.status in ("fail", "inconclusive")  # where this machine is too crowded to judge
    assert check.observed == 20.0
    assert any("were lost" in warning and "empty response" in warning for warning in result.warnings)


def test_an_engine_without_models_fails_in_one_line(tmp_path: Path) -> None:
    body = json.dumps({"detail": {"error": "no_models_available", "tier": "unknown"}})
    with chat_server(engine(lambda handler: handler.whole(503, body))) as server:
        code, result = run(server.url, output=tmp_path / "r.json", overlaps=())
    assert code == 6
    assert [failure.message for failure in result.failures] == [
        "no simple query was answered: /api/query answers 503: no_models_available"
    ]
    assert "start its server" in result.failures[0].remedy


def test_an_engine_that_is_down_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(InputError, match=url):
        run(url, output=tmp_path / "r.json")


def test_an_engine_that_goes_down_later_has_failed(tmp_path: Path) -> None:
    """Its health was well, and it is gone when the first query comes."""
    servers: list[Any] = []

    def once(handler: Handler) -> None:
        servers[0].stop_listening()
        engine()(handler)
        handler.close_connection = True

    with chat_server(once) as server:
        servers.append(server)
        code, result = run(server.url, output=tmp_path / "r.json", overlaps=())
    assert code == 6
    assert server.url in result.failures[0].message


def test_without_a_health_url_the_queries_are_measured_all_the_same(tmp_path: Path) -> None:
    def queries_only(handler: Handler) -> None:
        handler.whole(404, "{}") if handler.command == "GET" else engine()(handler)

    with chat_server(queries_only) as server:
        _, result = run(server.url, output=tmp_path / "r.json", wants_high_level=True, overlaps=())
    assert any("is not measured: its health URL" in warning for warning in result.warnings)
    assert [metric for metric in result.metrics if metric.name == "query_latency"]


def test_the_command_as_it_is_typed(tmp_path: Path) -> None:
    """The whole line, and that a dry run asks nothing."""
    output = tmp_path / "r.json"
    with chat_server(engine()) as server:
        words = ["tier-latency", "--url", server.url, "--api", "synapse", "--no-variants", "--trials", "6"]
        dry = CliRunner().invoke(app, [*words, "--dry-run"])
        assert (dry.exit_code, server.requests) == (0, [])
        done = CliRunner().invoke(app, [*words, "--quiet", "--queries-per-process", "2", "--output", str(output)])
    assert done.exit_code in (0, 3), done.output
    assert {check.target for check in load(output).checks if check.status in ("pass", "inconclusive")} == {
        "query-fast",
        "query-two-stage",
    }
    asked = [request["body"] for request in server.requests if "body" in request]
    assert {body["mode"] for body in asked} == {"simple", "two-stage"}


@pytest.mark.parametrize(
    ("query", "served", "changes", "words"),
    [
        (Query("a" * 10_001, "simple", "fast", 0.0, "balanced"), {}, {}, "query 1 has 10001"),
        (Query("a", "simple", "fast", 0.0, "balanced", 5000), {}, {}, "query 1: 5000 tokens"),
        (SIMPLE, {}, {"temperature": 3.0}, "--temperature 3"),
        (SIMPLE, {}, {"system": "Be brief."}, "the profile's system prompt"),
        (SIMPLE, {"url": ["fast=http://127.0.0.1:1"]}, {}, "one --url"),
        (SIMPLE, {"url": ["http://127.0.0.1:odd"]}, {}, "--url"),
    ],
)
def test_what_the_engine_cannot_be_asked_is_told_first(
    query: Query, served: dict[str, Any], changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        run("http://127.0.0.1:1", query, output=tmp_path / "r.json", served=served, **changes)
