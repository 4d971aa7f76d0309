"""Parts that come from outside: a test that needs a missing one skips with the reason, and fails where CI runs."""

import os
import shutil
from typing import NoReturn

import pytest


def program(name: str, package: str) -> str:
    """The path of a program, wherever Debian puts it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    return found or missing(f"{name} is not installed (Debian package {package})")


def missing(reason: str) -> NoReturn:
    """Skip, or fail where every part must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
