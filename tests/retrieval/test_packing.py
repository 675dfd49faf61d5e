from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.retrieval.packing import Packed, count_tokens, pack

CONTENTS = ["one two three four five six seven eight nine ten", "a b", "word " * 100, ""]  # 13, 2, 130 and 0 tokens


@pytest.mark.parametrize(("words", "tokens"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 5), (10, 13), (512, 665)])
def test_a_word_is_one_token_and_three_tenths_cut_to_a_whole_number(words: int, tokens: int) -> None:
    assert count_tokens(" \n".join(["word"] * words)) == tokens


@pytest.mark.parametrize(
    ("budget", "chunks", "tokens"),
    [
        (145, (1, 0, 2), 145),  # exactly met
        (144, (1, 0), 15),
        (15, (1, 0), 15),
        (14, (1,), 2),
        (1, (1,), 2),  # the first is kept whatever it takes
    ],
)
def test_chunks_are_taken_while_they_fit(budget: int, chunks: tuple[int, ...], tokens: int) -> None:
    packed = pack([1, 0, 2], CONTENTS, budget)

    assert (packed.chunks, packed.tokens) == (chunks, tokens)
    assert packed.context == "\n\n".join(CONTENTS[place] for place in chunks)


def test_after_one_that_does_not_fit_no_smaller_one_is_taken() -> None:
    assert pack([0, 2, 1], CONTENTS, 20).chunks == (0,)


def test_a_text_without_words_costs_nothing() -> None:
    assert pack([0, 3], CONTENTS, 13).chunks == (0, 3)


def test_of_nothing_nothing_is_packed() -> None:
    assert pack([], CONTENTS, 100) == Packed("", (), 0)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=20), st.integers(1, 300))
def test_the_budget_is_kept_unless_the_first_alone_exceeds_it(words: list[int], budget: int) -> None:
    contents = ["w " * count for count in words]
    packed = pack(range(len(words)), contents, budget)
    sizes = [int(count * 1.3) for count in words]

    taken = len(packed.chunks)
    assert packed.chunks == tuple(range(taken))
    assert packed.tokens == sum(sizes[:taken])
    assert packed.tokens <= budget or taken == 1
    assert taken == len(words) or packed.tokens + sizes[taken] > budget
