from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from synapse_perf.host.environment import describe, digest, hardware_class, next_power_of_two, software_class

PROGRAM = "from synapse_perf.host.environment import describe; print(describe().hardware_class['digest'])"


def test_the_hardware_class_is_the_same_in_another_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1", "LC_ALL": "C"},
    )
    assert done.stdout.strip() == describe().hardware_class["digest"]


def spin(stop: multiprocessing.synchronize.Event) -> None:
    while not stop.is_set():
        pass


def test_the_hardware_class_does_not_see_the_load() -> None:
    before = describe()
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    children = [spawn.Process(target=spin, args=(stop,)) for _ in range(2)]
    for child in children:
        child.start()
    try:
        assert describe().hardware_class == before.hardware_class
    finally:
        stop.set()
        for child in children:
            child.join()


def test_every_field_of_the_class_decides_the_digest() -> None:
    fields = hardware_class()
    digests = {digest(fields), *(digest({**fields, name: "other"}) for name in fields)}
    assert len(digests) == len(fields) + 1


def test_the_digest_does_not_depend_on_the_order() -> None:
    assert digest({"a": 1, "b": "Ä"}) == digest({"b": "Ä", "a": 1})


def test_the_digest_is_the_same_everywhere() -> None:
    """sha256 of ``{"cores":2,"cpu":"Apple M4"}``, as any machine computes it."""
    assert digest({"cpu": "Apple M4", "cores": 2}) == "00bc59d54b9822be"


@pytest.mark.parametrize(
    ("gib", "rounded"), [(30.7, 32), (31.9, 32), (32.0, 32), (23.4, 32), (15.5, 16), (0.9, 1), (0.4, 0.5)]
)
def test_memory_is_rounded_up_so_that_what_the_kernel_keeps_does_not_matter(gib: float, rounded: float) -> None:
    assert next_power_of_two(gib) == rounded


def test_the_workers_packages_replace_the_tools_own() -> None:
    assert software_class({"llama-cpp-python": "0.2.1"})["packages"] == {"llama-cpp-python": "0.2.1"}


def test_it_can_be_written_as_json_and_names_neither_person_nor_machine(tmp_path: Path) -> None:
    text = json.dumps(asdict(describe(tmp_path)))
    home = str(Path.home())
    assert len(home) <= 1 or home not in text
    host = socket.gethostname()
    assert len(host) < 4 or host not in text


def test_outside_a_checkout_there_is_no_git(tmp_path: Path) -> None:
    assert describe(tmp_path).git == {}
