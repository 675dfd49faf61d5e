from __future__ import annotations

from pathlib import Path

from synapse_perf.host.gpu import drm_gpus, gpu_names, macos_gpus, nvidia_gpus, parse_nvidia_version

IOREG_M4 = """\
+-o AGXAcceleratorG16G  <class AGXAcceleratorG16G, id 0x10000039c, registered, matched, active, busy 0 (309 ms)>
    {
      "PerformanceStatistics" = {"Alloc system memory"=2181693440,"Tiler Utilization %"=30}
      "model" = "Apple M4"
      "gpu-core-count" = 10
    }
"""
NVIDIA_INFORMATION = """\
Model: \t\t NVIDIA H100 80GB HBM3
IRQ:   \t\t 0
GPU UUID: \t GPU-????????-????-????-????-????????????
Bus Type: \t PCIe
"""
OPEN_DRIVER = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@U22)
GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04.2)
"""
CLOSED_DRIVER = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n"


def test_apples_chip_is_told_with_its_count_of_cores() -> None:
    assert macos_gpus(IOREG_M4, {"machdep.cpu.brand_string": "Apple M4"}) == ("Apple M4 (10 GPU cores)",)


def test_without_the_registry_the_chip_names_its_gpu() -> None:
    assert macos_gpus("", {"machdep.cpu.brand_string": "Apple M4 Pro"}) == ("Apple M4 Pro",)
    assert macos_gpus("", {"machdep.cpu.brand_string": "Intel(R) Core(TM) i7"}) == ()


def test_nvidias_devices_are_named_by_the_driver(tmp_path: Path) -> None:
    for bus in ("0000:17:00.0", "0000:ca:00.0"):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text(NVIDIA_INFORMATION)
    assert nvidia_gpus(tmp_path) == ("NVIDIA H100 80GB HBM3",) * 2


def test_the_drivers_major_version() -> None:
    assert parse_nvidia_version(OPEN_DRIVER) == "580"
    assert parse_nvidia_version(CLOSED_DRIVER) == "535"
    assert parse_nvidia_version("") is None


def test_amd_and_intel_count_and_a_plug_or_a_virtual_display_does_not(tmp_path: Path) -> None:
    devices = {
        "card0": {"vendor": "0x1002\n", "device": "0x744c\n"},
        "card1": {"vendor": "0x8086\n", "device": "0x56a0\n", "product_name": "Arc A770\n"},
        "card1-HDMI-A-1": {"vendor": "0x8086\n"},
        "card2": {"vendor": "0x1af4\n"},
    }
    for card, files in devices.items():
        (tmp_path / card / "device").mkdir(parents=True)
        for name, text in files.items():
            (tmp_path / card / "device" / name).write_text(text)
    assert drm_gpus(tmp_path) == ("AMD 0x744c", "Arc A770")


def test_a_machine_without_any_has_none(tmp_path: Path) -> None:
    assert nvidia_gpus(tmp_path) == drm_gpus(tmp_path) == ()
    assert isinstance(gpu_names(), tuple)
