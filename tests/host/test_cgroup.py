from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.host.cgroup import (
    cpu_quota,
    memory_headroom,
    memory_limit,
    parse_cfs_quota,
    parse_cpu_max,
    parse_membership,
)

V1_MEMBERSHIP = """\
9:name=systemd:/
4:memory:/jobs/a8e1
2:cpu,cpuacct:/docker/4f0c
0::/
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def member(tmp_path: Path, text: str) -> Path:
    (tmp_path / "membership").write_text(text)
    return tmp_path / "membership"


@pytest.mark.parametrize(
    ("text", "cores"), [("150000 100000", 1.5), ("max 100000", None), ("", None), ("50000 100000", 0.5)]
)
def test_version_2_writes_quota_and_period(text: str, cores: float | None) -> None:
    assert parse_cpu_max(text) == cores


@pytest.mark.parametrize(
    ("quota", "period", "cores"), [("200000", "100000", 2.0), ("-1", "100000", None), ("", "", None), ("1", "0", None)]
)
def test_version_1_writes_them_in_two_files(quota: str, period: str, cores: float | None) -> None:
    assert parse_cfs_quota(quota, period) == cores


def test_the_membership_names_a_path_for_each_controller() -> None:
    assert parse_membership(V1_MEMBERSHIP, "memory") == "/jobs/a8e1"
    assert parse_membership(V1_MEMBERSHIP, "cpu") == "/docker/4f0c"
    assert parse_membership(V1_MEMBERSHIP, "") == "/"
    assert parse_membership(V1_MEMBERSHIP, "io") is None


def test_the_tightest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    root = write(
        tmp_path / "cgroup",
        {
            "user.slice/cpu.max": "300000 100000",
            "user.slice/job/cpu.max": "max 100000",
            "user.slice/memory.max": "4294967296",
            "user.slice/job/memory.max": "8589934592",
        },
    )
    membership = member(tmp_path, "0::/user.slice/job\n")
    assert cpu_quota(root, membership) == 3.0
    assert memory_limit(root, membership) == 4 << 30


def test_in_a_container_the_mounted_root_is_the_group(tmp_path: Path) -> None:
    root = write(tmp_path / "cgroup", {"cpu.max": "150000 100000", "memory.max": "max"})
    membership = member(tmp_path, "0::/system.slice/docker-4f0c.scope\n")
    assert cpu_quota(root, membership) == 1.5
    assert memory_limit(root, membership) is None


def test_version_1_in_a_container(tmp_path: Path) -> None:
    root = write(
        tmp_path / "cgroup",
        {
            "cpu,cpuacct/cpu.cfs_quota_us": "250000",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": "2147483648",
        },
    )
    membership = member(tmp_path, V1_MEMBERSHIP)
    assert cpu_quota(root, membership) == 2.5
    assert memory_limit(root, membership) == 2 << 30


def test_version_1_writes_no_limit_as_a_huge_number(tmp_path: Path) -> None:
    root = write(tmp_path / "cgroup", {"memory/jobs/a8e1/memory.limit_in_bytes": "9223372036854771712"})
    assert memory_limit(root, member(tmp_path, V1_MEMBERSHIP)) is None


def test_a_system_without_control_groups_has_no_limits(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "none", tmp_path / "none") is None
    assert memory_limit(tmp_path / "none", tmp_path / "none") is None


def test_room_is_the_limit_less_what_cannot_be_dropped(tmp_path: Path) -> None:
    root = write(
        tmp_path / "cgroup",
        {
            "job/memory.max": "8000",
            "job/memory.current": "5000",
            "job/memory.stat": "anon 3000\ninactive_file 700\nactive_file 300\n",
        },
    )
    assert memory_headroom(root, member(tmp_path, "0::/job\n")) == 8000 - (5000 - 1000)


def test_room_of_version_1_and_of_the_tightest_group(tmp_path: Path) -> None:
    root = write(
        tmp_path / "cgroup",
        {
            "memory/memory.limit_in_bytes": "5000",
            "memory/memory.usage_in_bytes": "4600",
            "memory/memory.stat": "total_inactive_file 100\ntotal_active_file 0\n",
            "memory/job/memory.limit_in_bytes": "9000",
            "memory/job/memory.usage_in_bytes": "4500",
        },
    )
    assert memory_headroom(root, member(tmp_path, "4:memory:/job\n")) == 500


def test_a_group_without_a_limit_has_no_room_of_its_own(tmp_path: Path) -> None:
    root = write(tmp_path / "cgroup", {"job/memory.max": "max", "job/memory.current": "5000"})
    assert memory_headroom(root, member(tmp_path, "0::/job\n")) is None


def test_a_group_over_its_limit_has_none(tmp_path: Path) -> None:
    root = write(tmp_path / "cgroup", {"job/memory.max": "4000", "job/memory.current": "5000"})
    assert memory_headroom(root, member(tmp_path, "0::/job\n")) == 0
