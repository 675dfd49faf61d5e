"""Wrong input to tier-latency: one line each with its remedy, the code of the contract, the other tiers measured."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.benchmarks.retrieval_sets import make_encoder
from tests.commands.latency_runs import Place, make_place, measured_tiers
from tests.faults.program import Told
from tests.llama.chats import with_template

ALONE = ("--no-variants", "--no-two-stage")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("tier-latency-input"))


def runs(place: Place) -> list[Path]:
    return list((place.folder / "state" / "runs").glob("*.json"))


def one_error(told: Told) -> str:
    (error,) = told.errors
    message, _, hint = error.partition("\nhint: ")
    assert "\n" not in message
    assert hint
    return message


# --- nothing is measured ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--tier", "huge=x"), "--tier huge=x: there is no tier 'huge'"),
        (("--tier", "fast"), "--tier fast: no tier with its model"),
        (("--tier", "fast="), "--tier fast=: no tier with its model"),
        (("--tier", "deep=a", "--tier", "powerful=b"), "--tier powerful=b: deep has a model already, a"),
        (("--tier", "fast=/missing.gguf"), "/missing.gguf does not exist"),
        (("-t", "1,2"), "-t 1,2: tier-latency takes one value"),
        (("--queries", "missing.jsonl"), "missing.jsonl cannot be read: No such file"),
        (("--queries", "bad.jsonl"), "bad.jsonl, line 2: not JSON"),
        (("--queries", "empty.jsonl"), "empty.jsonl has no query"),
        (("--retriever", "ours.py:build"), "'ours.py' is a file, not a module"),
        (("--corpus", "docs", "--index", "x.index"), "--corpus and --index name different things to search"),
        (("--index", "missing.index"), "missing.index: no such index file"),
        (("--overlap", "everything"), "'everything' is not one of"),
        (("--target", "query-fast<soon"), "soon"),
        (("--device", "TPU7"), "TPU7"),
    ],
)
def test_one_line_and_exit_code_2(place: Place, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    (tmp_path / "bad.jsonl").write_text('{"prompt": "fine"}\noops\n')
    (tmp_path / "empty.jsonl").write_text("\n")
    before = runs(place)
    encoder = ("--encoder", str(place.encoder))

    done = place.here(*encoder, *arguments, tiers=() if "--tier" in arguments else None, cwd=tmp_path)

    assert done.code == 2, done
    assert told in one_error(done)
    assert done.out == ""
    assert runs(place) == before


def test_a_context_that_holds_no_answer_of_that_length(place: Place) -> None:
    done = place.ask("-n", "512")
    assert done.code == 2
    assert "an answer of 512 tokens does not fit into the context of 512" in one_error(done)


def test_queries_that_none_of_the_tiers_is_for(place: Place, tmp_path: Path) -> None:
    (tmp_path / "simple.jsonl").write_text('{"prompt": "What is a page?"}')
    deep = ("--tier", f"deep={place.small}")
    done = place.ask(*ALONE, "--queries", tmp_path / "simple.jsonl", tiers=deep)
    assert done.code == 2
    assert "nothing would be asked: queries without a model, which are not asked: 1 for fast" in one_error(done)
    assert place.ask(*ALONE, "--queries", tmp_path / "simple.jsonl", "--asked", "every", tiers=deep).code == 0


def test_the_profiles_own_values_are_named_with_their_line(place: Place, tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text('[tier-latency]\nprefix = "cold"\nqueries_per_process = 0\n')
    done = place.ask("--profile", "./ours.toml", cwd=tmp_path)
    assert done.code == 2
    assert "ours.toml:3: tier-latency.queries_per_process must be at least 1" in one_error(done)


# --- the other tiers are measured ------------------------------------------------------------------------------------


def ask_with(place: Place, broken: Path | str, *arguments: str | Path) -> Told:
    """The fast tier has a good model, the balanced one that."""
    return place.ask(*ALONE, *arguments, tiers=("--tier", f"fast={place.small}", "--tier", f"balanced={broken}"))


@pytest.mark.parametrize("content", [b"", b"no model", b"GGUF\x03\x00\x00\x00" + bytes(40)])
def test_a_damaged_file(place: Place, tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(content)
    done = ask_with(place, broken)

    assert done.code == 2, done
    assert "broken.gguf" in one_error(done)
    assert "the other model is measured" in done.err
    assert measured_tiers(done) == {"fast"}


def test_a_file_that_is_not_there(place: Place) -> None:
    done = ask_with(place, "/missing.gguf")
    assert done.code == 2
    assert one_error(done) == "/missing.gguf does not exist"
    assert measured_tiers(done) == {"fast"}


def test_weights_that_are_cut_off(place: Place, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(place.large.read_bytes()[:-50_000])
    done = ask_with(place, cut)

    assert done.code in (2, 6)
    assert "balanced" in one_error(done) or "cut.gguf" in one_error(done)
    assert measured_tiers(done) == {"fast"}


def test_an_encoder_in_the_place_of_a_chat_model(place: Place, tmp_path: Path) -> None:
    encoder = make_encoder(tmp_path, 3).path
    done = ask_with(place, encoder)

    assert done.code == 2
    assert one_error(done) == f"balanced: {encoder.name} is an encoder"
    assert measured_tiers(done) == {"fast"}


def test_a_broken_chat_template(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = ask_with(place, with_template(tmp_path, "{% for message in %}", monkeypatch))

    assert done.code == 6
    assert "the model's chat template is broken in line 1" in one_error(done)
    assert measured_tiers(done) == {"fast"}


def test_a_chat_template_that_refuses_what_is_said(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = "{{ raise_exception('no system prompt, please') if messages[0].role == 'system' else 'x' }}"
    done = ask_with(place, with_template(tmp_path, template, monkeypatch), "--system", "Be brief.")

    assert done.code == 6
    assert "no system prompt, please" in one_error(done)
    assert measured_tiers(done) == {"fast"}


@pytest.mark.parametrize(("how", "told"), [("abort", "SIGABRT"), ("kill", "SIGKILL"), ("exit", "3")])
def test_a_llama_cpp_that_dies(place: Place, tmp_path: Path, how: str, told: str) -> None:
    dying = tmp_path / f"{how}-x.gguf"
    os.link(place.small, dying)
    done = ask_with(place, dying)

    assert done.code == 6
    assert one_error(done).startswith("balanced, prefix=cold: ")
    assert told in one_error(done)
    assert measured_tiers(done) == {"fast"}


def test_a_prompt_that_the_context_does_not_hold(place: Place, tmp_path: Path) -> None:
    queries = [{"prompt": "What is a page?"}, {"prompt": "word " * 700, "tier": "balanced"}]
    (tmp_path / "long.jsonl").write_text("\n".join(map(json.dumps, queries)) + "\n")
    done = place.ask(*ALONE, "--queries", tmp_path / "long.jsonl")

    assert done.code == 6
    assert one_error(done).startswith("balanced, prefix=cold: query 1: the prompt has")
    assert "the context holds 512" in one_error(done)
    assert measured_tiers(done) == {"fast"}


def test_a_query_that_asks_for_more_than_the_context_holds(place: Place, tmp_path: Path) -> None:
    queries = [{"prompt": "What is a page?"}, {"prompt": "Explain.", "tier": "balanced", "max_tokens": 600}]
    (tmp_path / "long.jsonl").write_text("\n".join(map(json.dumps, queries)) + "\n")
    done = place.ask(*ALONE, "--queries", tmp_path / "long.jsonl")

    assert done.code == 2
    assert one_error(done) == "balanced: an answer of 600 tokens does not fit into the context of 512"
    assert measured_tiers(done) == {"fast"}


def test_a_two_stage_query_without_a_tier_that_it_needs(place: Place) -> None:
    done = place.ask("--no-variants", *place.documents, tiers=("--tier", f"balanced={place.small}"))

    assert done.code == 0, done.err
    assert measured_tiers(done) == {"balanced"}
    (told,) = (text for text in done.result["warnings"] if "two-stage" in text)
    assert told == "two-stage queries that need fast or deep are not asked: there is no such model"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def build():\n    return lambda query: 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("def build():\n    raise OSError('the index is gone')\n", "ours:build(): OSError: the index is gone"),
    ],
)
def test_a_retriever_that_fails_costs_only_the_two_stage_query(
    place: Place, tmp_path: Path, code: str, told: str
) -> None:
    (tmp_path / "ours.py").write_text(code)
    (tmp_path / "one.jsonl").write_text('{"prompt": "What is a page?"}\n')
    tiers = ("--tier", f"fast={place.small}", "--tier", f"balanced={place.small}")
    one = ("--queries", tmp_path / "one.jsonl", "--no-variants")
    done = place.ask(*one, "--retriever", "ours:build", tiers=tiers, cwd=tmp_path)

    assert done.code == 6, done
    assert told in one_error(done)
    assert measured_tiers(done) == {"fast"}
