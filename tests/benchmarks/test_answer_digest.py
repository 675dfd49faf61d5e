from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from synapse_perf.benchmarks.answer_digest import digest_of


@dataclass
class Chunk:
    text: str
    score: float


class Slotted:
    __slots__ = ("score", "text")

    def __init__(self, text: str, score: float) -> None:
        self.text, self.score = text, score


class Plain(Slotted):
    """Has slots and attributes."""

    def __init__(self, text: str, score: float, place: int) -> None:
        super().__init__(text, score)
        self.place = place


class Raising:
    def __repr__(self) -> str:
        raise ValueError("not to be shown")


def holding_itself() -> list[Any]:
    answer: list[Any] = ["a"]
    answer.append(answer)
    return answer


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        pytest.param(["a", "b"], ["a", "b"], ["b", "a"], id="another order"),
        pytest.param(["a", "b"], ["a", "b"], ["a"], id="fewer"),
        pytest.param(["ab", "c"], ["ab", "c"], ["a", "bc"], id="cut elsewhere"),
        pytest.param([["a"], "b"], [["a"], "b"], ["a", ["b"]], id="nested elsewhere"),
        pytest.param([(7, 0.51)], [(7, 0.52)], [(8, 0.51)], id="scores may differ, ids may not"),
        pytest.param({"id": 1, "took": 0.1}, {"id": 1, "took": 0.2}, {"id": 2, "took": 0.1}, id="mappings"),
        pytest.param([Chunk("a", 0.1)], [Chunk("a", 0.2)], [Chunk("b", 0.1)], id="data classes"),
        pytest.param([Slotted("a", 0.1)], [Slotted("a", 0.2)], [Slotted("b", 0.1)], id="slots"),
        pytest.param([Plain("a", 0.1, 1)], [Plain("a", 0.2, 1)], [Plain("a", 0.1, 2)], id="slots and attributes"),
        pytest.param({"a", "b", "c"}, {"c", "b", "a"}, {"a", "b"}, id="sets have no order"),
        pytest.param(np.array([1, 2]), np.array([1, 2]), np.array([2, 1]), id="arrays"),
        pytest.param(["a", np.array([0.1])], ["a", np.array([0.2])], ["b", np.array([0.1])], id="arrays of scores"),
        pytest.param([np.int64(3)], [3], [np.int64(4)], id="numbers of NumPy are numbers"),
        pytest.param([], [], ["a"], id="nothing found"),
        pytest.param(b"a", b"a", "a", id="bytes are no text"),
        pytest.param(holding_itself(), holding_itself(), ["a"], id="an answer that holds itself"),
        pytest.param(["\ud800"], ["\ud800"], ["\ud801"], id="half characters"),
    ],
)
def test_answers_with_the_same_content_have_the_same_digest(one: object, same: object, other: object) -> None:
    assert digest_of(one) is not None
    assert digest_of(one) == digest_of(same)
    assert digest_of(one) != digest_of(other)


def holding_itself_twice() -> list[Any]:
    answer: list[Any] = ["a"]
    answer += [answer, answer]
    return answer


def generator() -> Iterator[str]:
    yield "a"


@pytest.mark.parametrize(
    "answer",
    [
        *(object(), [object()], Raising(), generator(), lambda: "a"),
        *([0.1, 0.2], np.array([0.5]), None),
        holding_itself_twice(),
    ],
)
def test_an_answer_that_tells_nothing_cannot_be_compared(answer: object) -> None:
    assert digest_of(answer) is None
