from __future__ import annotations

import os
from pathlib import Path

from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.read_floor import BLOCK_BYTES, METRICS, measure, read_through

NEVER = (0, 0, None)


def written(path: Path, size_bytes: int) -> Path:
    path.write_bytes(os.urandom(1024) * (size_bytes // 1024) + bytes(size_bytes % 1024))
    return path


def context_for(files: list[Path], told: list[str]) -> Context:
    workload = {"files": [str(file) for file in files]}
    return Context(workload, 0, 0, (NEVER, NEVER), lambda kind, **content: told.append(str(content.get("text"))))


def test_every_byte_of_a_file_that_ends_within_a_block_is_read(tmp_path: Path) -> None:
    file = written(tmp_path / "model", 2 * BLOCK_BYTES + 7)

    seconds, total = read_through([file])

    assert total == file.stat().st_size
    assert seconds > 0


def test_an_empty_file_is_no_byte(tmp_path: Path) -> None:
    assert read_through([written(tmp_path / "empty", 0)])[1] == 0


def test_all_parts_of_a_split_model_are_read(tmp_path: Path) -> None:
    parts = [written(tmp_path / str(number), number * 1000) for number in (1, 2, 3)]

    assert read_through(parts)[1] == 6000


def test_a_sample_is_one_pass_as_a_phase_of_its_own(tmp_path: Path) -> None:
    told: list[str] = []
    samples = measure(context_for([written(tmp_path / "model", 5000)], told))

    for sample in (next(samples), next(samples)):
        (value,) = sample.values
        assert value.metric in METRICS
        assert value.labels == {"phase": "floor"}
        assert sample.facts == {"bytes": 5000}
    assert told == ["reading the file plainly, as a floor"]
