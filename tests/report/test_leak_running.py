"""Where a process was while it grew reads as that, and never as who holds what grew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from synapse_perf.model import Result
from synapse_perf.report.render import render
from tests.report.leak_examples import leak

SEEN: Mapping[str, Any] = {
    "process": "python3.11 4711",
    "probe": "anonymous",
    "recorded_s": 5.0,
    "samples": 412,
    "grown_bytes": 12 * 1024**2,
    "functions": {"answer (app.py:41)": 0.75, "parse (app.py:12)": 0.25},
}


def shown(**running: Mapping[str, Any]) -> str:
    example = leak()
    whole: Result = replace(example, plan={**example.plan, "running": running})
    text = render(whole, "console", width=80, color=False, ascii_only=False)
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text.replace("---", "").split())


def test_functions_come_with_their_share_and_what_they_do_not_prove() -> None:
    text = shown(first=SEEN)

    assert "75.0 % answer (app.py:41)" in text
    assert "412 samples of python3.11 4711 by py-spy, in 5.00 s in which its anonymous memory grew by 12.0 MiB" in text
    assert "This is where the process was, not who holds what grew." in text
    assert "'running'" not in text


def test_few_samples_are_called_few() -> None:
    assert "too few for more than a hint" in shown(first={**SEEN, "samples": 4})


def test_what_is_not_known_takes_one_line_for_each_hunt() -> None:
    text = shown(first={"process": "nginx 7", "problem": "it is no Python that py-spy knows"}, second=SEEN)

    assert "Where it was while it grew: first Not known for nginx 7: it is no Python that py-spy knows." in text
    assert "Where it was while it grew: second" in text
