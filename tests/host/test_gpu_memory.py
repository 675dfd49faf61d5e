"""Memory of a graphics processor by process, from what its drivers tell; where none tells, the reason."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from synapse_perf.host import gpu_memory
from synapse_perf.host.gpu_memory import drm_bytes

AMD = """pos:\t0
drm-driver:\tamdgpu
drm-client-id:\t{client}
drm-memory-vram:\t{kib} KiB
drm-resident-vram:\t{kib} KiB
drm-total-vram:\t999999 KiB
drm-memory-gtt: \t64 KiB
"""
INTEL = "drm-driver:\txe\ndrm-client-id:\t7\ndrm-resident-vram0:\t3 MiB\ndrm-resident-system:\t1 MiB\n"


def made(folder: Path, *texts: str) -> str:
    (folder / "42" / "fdinfo").mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / "42" / "fdinfo" / str(number)).write_text(text)
    return str(folder)


def test_the_descriptors_of_one_client_are_counted_once(tmp_path: Path) -> None:
    first, second = AMD.format(client=1, kib=2048), AMD.format(client=2, kib=512)

    assert drm_bytes(42, made(tmp_path, first, first, second, "pos:\t0\n")) == (2048 + 512) * 1024


def test_only_the_devices_own_memory_counts(tmp_path: Path) -> None:
    assert drm_bytes(42, made(tmp_path, INTEL)) == 3 * 1024**2


def test_a_process_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert drm_bytes(42, str(tmp_path)) == 0


def test_a_reason_is_said_only_where_there_is_a_processor_that_cannot_be_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(gpu_memory, "_nvml", lambda: None)
    monkeypatch.setattr(gpu_memory, "_listed", lambda folder: [])

    monkeypatch.setattr(gpu_memory, "_DEVICES", (str(tmp_path / "none"),))
    assert gpu_memory.gpu_memory() == (None, "")
    monkeypatch.setattr(gpu_memory, "_DEVICES", (str(tmp_path),))
    read, reason = gpu_memory.gpu_memory()
    assert (read, "no library of its driver" in reason) == (None, True)


def test_numbers_of_another_container_are_not_taken_for_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_memory, "_nvml", object)
    monkeypatch.setattr(gpu_memory, "_sees_numbers", lambda: False)

    assert "container" in gpu_memory.gpu_memory()[1]
