"""Does the refinement get the texts that a retriever found, whatever its answer looks like?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.query_context import open_retrieval, texts_of

LOOK = (0, 0, None)


@pytest.mark.parametrize(
    ("answer", "texts"),
    [
        ("one text", ["one text"]),
        (["a", "b"], ["a", "b"]),
        (("a", 0.9), ["a"]),
        ([("a", 0.9), ("b", 0.8)], ["a", "b"]),
        ([{"content": "a", "score": 1}], ["a"]),
        ({"documents": ["a", "b"], "scores": [1, 2]}, ["a", "b"]),
        ({"text": "a"}, ["a"]),
        ([SimpleNamespace(page_content="a", metadata={}), SimpleNamespace(content="b")], ["a", "b"]),
        (SimpleNamespace(score=1, artifacts=[SimpleNamespace(content="a")]), ["a"]),
        ([], []),
        ({}, []),
        ([None, 3, object()], []),
    ],
)
def test_the_texts_of_answers_of_every_kind(answer: Any, texts: list[str]) -> None:
    assert texts_of(answer) == texts


def context(**workload: Any) -> Context:
    return Context(workload, 0, 0, (LOOK, LOOK), lambda *_, **__: None)


def test_without_a_retrieval_there_is_none() -> None:
    assert open_retrieval(context(), runtime=Any) is None  # type: ignore[arg-type]


def test_a_users_retriever_is_built_once_and_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def factory() -> Any:
        built.append(True)
        return lambda query: [f"about {query}", "more"]

    monkeypatch.setattr("tests.benchmarks.retriever_package.function", factory)
    retrieve = open_retrieval(context(factory="tests.benchmarks.retriever_package:function"), runtime=Any)  # type: ignore[arg-type]

    assert retrieve is not None
    assert [retrieve(query, 1).text for query in ("x", "y")] == ["about x\n\nmore", "about y\n\nmore"]
    assert retrieve("x", 1).results == 2
    assert built == [True]


def test_a_users_retriever_that_is_not_there_is_named() -> None:
    with pytest.raises(BenchmarkFailed, match="finds no module nowhere_to_be_found"):
        open_retrieval(context(factory="nowhere_to_be_found:build"), runtime=Any)  # type: ignore[arg-type]
