"""Recall: the mean over queries with its interval, and what of it reaches the prompt."""

from __future__ import annotations

from synapse_perf.report.document import Fields
from synapse_perf.report.retrieval_recall import recall_section
from synapse_perf.report.retrieval_runs import Measured
from tests.report.retrieval_blocks import measured
from tests.report.retrieval_experiment_examples import candidates, recall


def rows(found: Measured) -> dict[str, str]:
    section = recall_section(found)
    assert section is not None
    block = section.blocks[0]
    assert isinstance(block, Fields)
    return dict(block.rows)


def test_the_mean_is_told_and_not_the_median_which_would_be_all() -> None:
    # By hand: 20 of 200 queries find 0.96 of their neighbours, the others all: 0.996.
    told = rows(measured(recall()))
    assert told["recall@25"].startswith("99.60 % of the 25 true nearest neighbours are found (95 % 99.")
    assert told["recall@25"].endswith("200 queries)")


def test_contexts_that_changed_and_that_are_empty_are_counted() -> None:
    told = rows(measured(recall(changed=7)))
    assert told["contexts"] == "3.50 % are not those of an exact search (7 of 200)"
    assert told["empty"] == "3 of 200 queries find nothing that is relevant enough"
    assert "missing" not in told
    assert rows(measured(recall(changed=0)))["contexts"] == "all 200 are those of an exact search"


def test_searches_that_give_fewer_results_than_asked_for_are_told() -> None:
    assert rows(measured(recall(missing=2)))["missing"].startswith("2 of 200 queries got fewer results")


def test_the_recall_of_candidates_is_another_sections() -> None:
    found = measured(*candidates())
    assert recall_section(found) is None
    assert len(found.left()) == len(list(candidates()))
