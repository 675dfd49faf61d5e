"""Do the built-in queries score as they are labelled, and is a bad line of a file named?"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.analyze.query_set import BUILT_IN, built_in_queries, parse_queries
from synapse_perf.analyze.routing import COMPLEXITIES, TIER_FOR, route
from synapse_perf.errors import InputError


@pytest.mark.parametrize("complexity", COMPLEXITIES)
def test_the_engine_would_judge_each_built_in_query_as_it_is_labelled(complexity: str) -> None:
    queries = [query for query in built_in_queries() if query.complexity == complexity]

    assert len(queries) == 6
    assert {route(query.prompt).complexity for query in queries} == {complexity}


def test_no_built_in_query_is_there_twice() -> None:
    prompts = [prompt for prompts in BUILT_IN.values() for prompt in prompts]
    assert len(set(prompts)) == len(prompts)


def test_a_query_is_judged_by_its_score_unless_the_file_says_otherwise() -> None:
    lines = [
        {"prompt": "What is a page?"},
        {"prompt": "What is a page?", "complexity": "complex"},
        {"prompt": "What is a page?", "tier": "powerful", "max_tokens": 7},
    ]
    judged, labelled, sent = parse_queries(b"\n".join(json.dumps(line).encode() for line in lines), "q.jsonl")

    assert (judged.complexity, judged.tier, judged.max_tokens) == ("simple", "fast", None)
    assert (labelled.complexity, labelled.tier) == ("complex", "deep")
    assert (sent.complexity, sent.tier, sent.max_tokens) == ("simple", "deep", 7)
    assert judged.score == labelled.score == sent.score == pytest.approx(0.7)


def test_blank_lines_windows_lines_and_a_mark_at_the_start_are_no_fault() -> None:
    queries = parse_queries(b'\xef\xbb\xbf{"prompt": "one"}\r\n\r\n{"prompt": "two"}\r\n', "q.jsonl")

    assert [query.prompt for query in queries] == ["one", "two"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"what is it?", "line 2: not JSON"),
        (b'"what is it?"', "line 2: not a JSON object"),
        (b"[1]", "line 2: not a JSON object"),
        (b"{}", "line 2: no prompt"),
        (b'{"prompt": "  "}', "line 2: no prompt"),
        (b'{"prompt": 7}', "line 2: no prompt"),
        (b'{"promt": "x"}', "line 2: unknown key 'promt'"),
        (b'{"prompt": "x", "max_tokens": 0}', "line 2: max_tokens is 0"),
        (b'{"prompt": "x", "max_tokens": true}', "line 2: max_tokens is True"),
        (b'{"prompt": "x", "max_tokens": "9"}', "line 2: max_tokens is '9'"),
        (b'{"prompt": "x", "tier": "turbo"}', "line 2: tier is 'turbo'"),
        (b'{"prompt": "x", "complexity": ["simple"]}', r"line 2: complexity is \['simple'\]"),
        (b'{"prompt": "\xff"}', "line 2: not UTF-8"),
        (b"[" * 100_000, "line 2: (nested too deeply|not JSON)"),
    ],
)
def test_a_bad_line_is_named_by_its_number(line: bytes, told: str) -> None:
    with pytest.raises(InputError, match=f"q.jsonl, {told}") as caught:
        parse_queries(b'{"prompt": "good"}\n' + line, "q.jsonl")

    assert caught.value.remedy
    assert "\n" not in caught.value.message


def test_a_file_without_a_query_is_refused() -> None:
    with pytest.raises(InputError, match=r"q\.jsonl has no query"):
        parse_queries(b"\n \n", "q.jsonl")


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_every_text_that_json_can_hold_comes_back_as_it_was(prompts: list[str]) -> None:
    data = b"\n".join(json.dumps({"prompt": prompt}).encode() for prompt in prompts)

    queries = parse_queries(data, "q.jsonl")

    assert [query.prompt for query in queries] == prompts
    assert all(query.tier == TIER_FOR[query.complexity] for query in queries)
