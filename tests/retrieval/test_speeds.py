from __future__ import annotations

import numpy as np
import pytest

from synapse_perf.retrieval import speeds
from synapse_perf.retrieval.speeds import call_s, fault_s, read_bandwidth


def test_each_speed_is_one_that_a_machine_can_have() -> None:
    assert 1e8 < read_bandwidth(64 << 20) < 1e12
    assert 1e-7 < call_s(384) < 1e-2
    assert 1e-9 < fault_s() < 1e-3


def test_the_working_set_is_as_large_as_asked_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    ones = np.ones

    def counted(count: int, dtype: type) -> np.ndarray:
        sizes.append(count * np.dtype(dtype).itemsize)
        return ones(min(count, 1000), dtype=dtype)

    monkeypatch.setattr("synapse_perf.retrieval.speeds.np.ones", counted)
    for asked in (1, 64 << 20, 64 << 30):
        read_bandwidth(asked)
    assert sizes == [speeds.SMALLEST, 64 << 20, speeds.LARGEST]
