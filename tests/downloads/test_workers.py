"""Whether a process lives, told by its name."""

import subprocess
import sys

import pytest

from portal.downloads import workers

NAME = "import time; from portal.downloads import workers; print(workers.name(), flush=True); time.sleep(600)"


def test_the_present_process_lives() -> None:
    assert workers.is_alive(workers.name()) is True


def test_another_process_lives_until_it_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", NAME], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert workers.is_alive(name) is True
        process.kill()
        process.stdout.read()  # its end comes when the process is gone, before anybody has buried it
        gone = workers.is_alive(name)
    assert gone is False
    assert workers.is_alive(name) is False


def test_a_number_that_came_again_is_another_process() -> None:
    place, number, _ = workers.name().split(" ")

    assert workers.is_alive(f"{place} {number} 1") is False


@pytest.mark.parametrize("name", ["", "elsewhere", "elsewhere/pid:[1] 1 1", "elsewhere 1"])
def test_nobody_can_tell_of_another_machine(name: str) -> None:
    assert workers.is_alive(name) is None
