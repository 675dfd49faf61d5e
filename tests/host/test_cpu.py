from __future__ import annotations

import os
import sys

import pytest

from synapse_perf.host.cpu import (
    Processor,
    from_cpuinfo,
    from_sysctl,
    normal_architecture,
    normal_model,
    processor,
    usable_cores,
)
from synapse_perf.host.macos_settings import parse_sysctl

X86 = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
model name\t: Intel(R) Xeon(R) Platinum 8272CL CPU @ 2.60GHz
cpu MHz\t\t: 2593.905
flags\t\t: fpu vme hypervisor avx2
bogomips\t: 5187.81

processor\t: 1
vendor_id\t: GenuineIntel
cpu MHz\t\t: 3100.000
"""
RASPBERRY_PI = """\
processor\t: 0
CPU implementer\t: 0x41
CPU part\t: 0xd0b

processor\t: 1
CPU implementer\t: 0x41
CPU part\t: 0xd05

Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""
M4_PRO = """\
machdep.cpu.brand_string: Apple M4 Pro
kern.hv_vmm_present: 0
"""


def test_x86_is_named_without_clock_and_trade_marks() -> None:
    assert from_cpuinfo(X86, "x86_64") == Processor(
        architecture="x86_64",
        model="Intel Xeon Platinum 8272CL",
        identity="GenuineIntel 6/85",
        virtualised=True,
    )


def test_what_wobbles_does_not_change_the_processor() -> None:
    other = X86.replace("2593.905", "800.000").replace("5187.81", "5187.99")
    assert from_cpuinfo(X86, "x86_64") == from_cpuinfo(other, "x86_64")


def test_arm_is_known_by_its_parts() -> None:
    assert from_cpuinfo(RASPBERRY_PI, "arm64") == Processor(
        architecture="arm64",
        model="Raspberry Pi 5 Model B Rev 1.0",
        identity="ARM 0x41/0xd05 0x41/0xd0b",
        virtualised=None,
    )


def test_apple_silicon_is_known_by_its_chip() -> None:
    expected = Processor(architecture="arm64", model="Apple M4 Pro", identity=None, virtualised=False)
    assert from_sysctl(parse_sysctl(M4_PRO), "arm64") == expected


def test_no_information_is_unknown() -> None:
    unknown = Processor("arm64", None, None, None)
    assert from_cpuinfo("", "arm64") == unknown
    assert from_sysctl({}, "arm64") == unknown


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("AMD Ryzen 9 7950X 16-Core Processor", "AMD Ryzen 9 7950X 16-Core"),
        ("Intel(R) Core(TM) i7-8750H CPU @ 2.20GHz", "Intel Core i7-8750H"),
        ("Apple M4 Pro", "Apple M4 Pro"),
    ],
)
def test_model_names(name: str, normal: str) -> None:
    assert normal_model(name) == normal


@pytest.mark.parametrize(("machine", "normal"), [("aarch64", "arm64"), ("AMD64", "x86_64"), ("riscv64", "riscv64")])
def test_one_name_for_each_architecture(machine: str, normal: str) -> None:
    assert normal_architecture(machine) == normal


def test_this_machine_is_known() -> None:
    assert processor().architecture


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is Linux's")
def test_the_affinity_limits_the_cores() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert usable_cores() <= 1.0
    finally:
        os.sched_setaffinity(0, before)
