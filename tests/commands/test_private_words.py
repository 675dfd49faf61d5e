"""A result holds nothing of the person and the machine: results are made to be committed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.commands.conclude import without_private_words
from synapse_perf.host.privacy import redact
from synapse_perf.model import Failure
from tests.report.retrieval_examples import full


def test_the_home_folder_leaves_every_text_that_may_hold_it() -> None:
    home = str(Path.home())
    result = full()
    metric = result.metrics[0]
    trial = replace(metric.trials[0], facts={"file": (f"{home}/a.index", None), "size": (3,)})
    finding = replace(
        result.findings[0],
        cause=f"{home}/b",
        evidence={"files": [[f"{home}/c", 5]], "deep": {"in": f"{home}/d"}},
        change=f"{home}/e",
        check=f"{home}/f",
    )
    told = without_private_words(
        replace(
            result,
            metrics=(replace(metric, trials=(trial,)),),
            findings=(finding,),
            warnings=(f"{home}/g",),
            failures=(Failure("error", f"{home}/h", remedy=f"{home}/i", detail=f"{home}/j"),),
        )
    )
    assert home not in str(told)
    assert told.metrics[0].trials[0].facts == {"file": ("~/a.index", None), "size": (3,)}
    assert told.findings[0].evidence == {"files": [["~/c", 5]], "deep": {"in": "~/d"}}
    assert told.failures[0].detail == "~/j"


def test_another_home_is_known_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = str(Path.home())
    monkeypatch.setenv("HOME", str(tmp_path))
    assert redact(f"{tmp_path}/a and {before}/b") == f"~/a and {before}/b"
    monkeypatch.undo()
    assert redact(f"{before}/b") == "~/b"
