"""Two ways to run a command: as operators do, in a process of its own, or in this one, which costs far less."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from portal.cli import cli
from portal.settings import Settings
from tests import servers

SCRIPT = Path(sys.executable).with_name("portal")

Command = Callable[..., Result]
Portal = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """What the settings of the test are as variables; bytecode may be kept, or every process would compile anew."""
    environ = servers.environment(settings) | {"PORTAL_BASE_URL": "http://localhost"}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ


@pytest.fixture
def portal(environment: dict[str, str]) -> Portal:
    """Run `portal` in a process of its own, where every warning shows on stderr."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        environ = environment | {"PYTHONWARNINGS": "always"} | variables
        return subprocess.run(
            [SCRIPT, *arguments], input=stdin, env=environ, capture_output=True, text=True, check=False, timeout=100
        )

    return run


@pytest.fixture
def command(environment: dict[str, str]) -> Iterator[Command]:
    """Run a command in this process; the result has ``exit_code``, ``stdout`` and ``stderr``."""
    umask = os.umask(0o077)
    os.umask(umask)

    def run(*arguments: str, stdin: str | bytes = "", **variables: str | None) -> Result:
        unset = {name: None for name in os.environ if name.startswith("PORTAL_")}
        try:
            return CliRunner().invoke(cli, arguments, input=stdin, env=unset | environment | variables)
        finally:
            os.umask(umask)

    yield run
    os.umask(umask)
