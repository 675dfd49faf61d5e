"""What a run of tier-latency needs, small and quick: three models, documents with an encoder, and four queries."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from synapse_perf import cli
from tests.benchmarks.retrieval_sets import make_encoder, make_texts
from tests.faults.program import Told, run
from tests.gguf_files.small_models import TINY_UNTIED
from tests.llama.starts import make

SHORT = ("-n", "4", "--fixed-length", "-c", "512", "-t", "1")
SHORT_STAGES = ("--draft-tokens", "4", "--context-tokens", "24")
ONCE = ("--trials", "1", "--queries-per-process", "2", "--seed", "1", "--quiet", "--format", "json")
PROMPTS = (
    "What is a page?",
    "Who was Ada Lovelace?",
    "Explain how a page is read, and what it is for when memory is full.",
    "Design a cache for pages and argue step by step why it must be small, because memory is.",
)


@dataclass(frozen=True)
class Place:
    """The files of a run, and where it keeps things."""

    folder: Path
    small: Path
    large: Path
    encoder: Path

    @property
    def env(self) -> Mapping[str, str]:
        return {
            "SYNAPSE_PERF_CACHE_DIR": str(self.folder / "cache"),
            "SYNAPSE_PERF_STATE_DIR": str(self.folder / "state"),
        }

    @property
    def tiers(self) -> tuple[str, ...]:
        named = {"fast": self.small, "balanced": self.small, "powerful": self.large}
        return tuple(word for tier, path in named.items() for word in ("--tier", f"{tier}={path}"))

    @property
    def documents(self) -> tuple[str, ...]:
        return ("--corpus", str(self.folder / "docs"), "--encoder", str(self.encoder), "--min-relevance", "-1")

    @property
    def queries(self) -> tuple[str, str]:
        return ("--queries", str(self.folder / "queries.jsonl"))

    def ask(self, *arguments: str | Path, tiers: tuple[str, ...] | None = None, **options: Any) -> Told:
        """One run that asks each tier little, and only once."""
        chosen = self.tiers if tiers is None else tiers
        return run(*self._words(chosen, arguments), **{"env": self.env, **options})

    def here(
        self,
        *arguments: str | Path,
        cwd: Path,
        tiers: tuple[str, ...] | None = None,
        env: Mapping[str, str | None] | None = None,
    ) -> Told:
        """The same in this process, which is quicker: for what ends before any trial."""
        return told_here(
            *self._words(self.tiers if tiers is None else tiers, arguments),
            env=self.env if env is None else env,
            cwd=cwd,
        )

    def _words(self, tiers: tuple[str, ...], arguments: tuple[str | Path, ...]) -> tuple[str | Path, ...]:
        stages = () if "--no-two-stage" in arguments else SHORT_STAGES
        return ("tier-latency", *tiers, *self.queries, *SHORT, *stages, *ONCE, *arguments)


def told_here(*arguments: str | Path, env: Mapping[str, str | None], cwd: Path) -> Told:
    """The command line in this process; None takes a variable away."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        for name, value in env.items():
            patch.delenv(name, raising=False) if value is None else patch.setenv(name, value)
        code = cli.run([str(argument) for argument in arguments])
    return Told(code, out.getvalue(), err.getvalue())


def make_place(folder: Path) -> Place:
    docs = folder / "docs"
    docs.mkdir()
    for number in range(4):
        (docs / f"{number}.md").write_text(f"# Part {number}\n\n{make_texts(1, 60, number)[0]}\n")
    lines = [json.dumps({"prompt": prompt}) for prompt in PROMPTS]
    (folder / "queries.jsonl").write_text("\n".join(lines) + "\n")
    return Place(folder, make(folder), make(folder, TINY_UNTIED), make_encoder(folder).path)


def rows(told: Told, name: str = "query_latency", **labels: str) -> list[dict[str, Any]]:
    """The metrics of this name that carry these labels, and no variant unless it is one of them."""
    return [
        metric
        for metric in told.result["metrics"]
        if metric["name"] == name
        and labels.items() <= metric["labels"].items()
        and ("variant" in labels or "variant" not in metric["labels"])
    ]


def measured_tiers(told: Told) -> set[str]:
    return {metric["labels"]["tier"] for metric in rows(told)}
