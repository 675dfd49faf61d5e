"""Texts that a user's retriever embeds one by one: found where one call with all of them is faster, else not."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.analyze.retriever_findings import retriever_findings
from synapse_perf.analyze.retriever_seen import Seen
from synapse_perf.analyze.sampling import fixed
from synapse_perf.commands.retriever_choice import RetrieverRequest, probe_spec, read_probe
from synapse_perf.measure.session import run_trials
from tests.benchmarks.retriever_venv import QUERIES, UsersEnvironment, make_environment

# A library of the usual name and interface, which takes so long for a call and for each text of it.
LIBRARY = """
import time

class SentenceTransformer:
    def __init__(self, call_s, text_s):
        self.call_s, self.text_s = call_s, text_s

    def encode(self, sentences, batch_size=32, normalize_embeddings=False):
        if isinstance(sentences, str):
            return self.encode([sentences], batch_size, normalize_embeddings)[0]
        if not normalize_embeddings:
            raise ValueError("asked in another way than the user asks")
        until = time.perf_counter() + self.call_s + self.text_s * len(sentences)
        while time.perf_counter() < until:
            pass
        return [[float(len(text))] for text in sentences]
"""
PACKAGE = """
from sentence_transformers import SentenceTransformer

TEXTS = [f"text number {number}" for number in range(20)]

class Retriever:
    def __init__(self, encoder, vectors):
        self.encoder, self.vectors = encoder, vectors

    def retrieve(self, query):
        return [self.encoder.encode(query, normalize_embeddings=True)]

class Rewriting(Retriever):
    def retrieve(self, query):
        return [self.encoder.encode(f"{query} {number}", normalize_embeddings=True) for number in range(10)]

def one_by_one():
    encoder = SentenceTransformer(0.01, 0.0001)
    return Retriever(encoder, [encoder.encode(text, normalize_embeddings=True) for text in TEXTS])

def where_batches_do_not_help():
    encoder = SentenceTransformer(0.0, 0.002)
    return Retriever(encoder, [encoder.encode(text, normalize_embeddings=True) for text in TEXTS])

def in_one_call():
    encoder = SentenceTransformer(0.01, 0.0001)
    return Retriever(encoder, encoder.encode(TEXTS, normalize_embeddings=True))

def many_in_a_query():
    return Rewriting(SentenceTransformer(0.01, 0.0001), [])
"""


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> UsersEnvironment:
    users = make_environment(tmp_path_factory.mktemp("user"))
    source = users.package.parent
    (source / "sentence_transformers.py").write_text(LIBRARY)
    (source / "retrievers.py").write_text(PACKAGE)
    (source / "lazy.py").write_text("def build():\n    import retrievers\n    return retrievers.one_by_one()\n")
    return users


def seen_of(users: UsersEnvironment, factory: str, folder: Path) -> Seen:
    request = RetrieverRequest(
        factory=factory,
        queries=users.queries,
        query_count=len(QUERIES),
        python=users.python,
        cwd=str(users.package.parent),
        timeout_s=60,
    )
    outcome = run_trials(fixed([probe_spec(request)]), planned=1, register_directory=folder, observe=lambda event: None)
    return read_probe(outcome.trials[0])


@pytest.mark.parametrize("factory", ["retrievers:one_by_one", "lazy:build"])
def test_texts_that_the_factory_embeds_one_by_one_are_found(
    users: UsersEnvironment, factory: str, tmp_path: Path
) -> None:
    seen = seen_of(users, factory, tmp_path)
    assert seen.embedding is not None
    assert (seen.embedding.during, seen.embedding.calls) == ("build", 20)
    (finding,) = retriever_findings([], seen, 0.1, 0.95)
    assert (finding.id, finding.severity) == ("texts-embedded-one-by-one", "low")
    assert "20 texts are embedded one by one by the factory" in finding.cause
    assert finding.gain is not None
    assert not finding.gain.measured
    assert "encoder.encode(texts, batch_size=32)" in finding.change


def test_those_of_each_query_are_worse(users: UsersEnvironment, tmp_path: Path) -> None:
    (finding,) = retriever_findings([], seen_of(users, "retrievers:many_in_a_query", tmp_path), 0.1, 0.95)
    assert (finding.id, finding.severity) == ("texts-embedded-one-by-one", "medium")
    assert "10 texts are embedded one by one for one query" in finding.cause


@pytest.mark.parametrize("factory", ["retrievers:where_batches_do_not_help", "retrievers:in_one_call"])
def test_nothing_is_found_where_one_call_gains_nothing_or_is_made_already(
    users: UsersEnvironment, factory: str, tmp_path: Path
) -> None:
    assert retriever_findings([], seen_of(users, factory, tmp_path), 0.1, 0.95) == []
