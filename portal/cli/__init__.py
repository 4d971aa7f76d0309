"""Commands for operators: `portal`. Each is thin: it reads its arguments, calls the core and says what came of it."""

import os
import sys

import click

from portal.cli.audit import audit
from portal.cli.catalog import add_category, add_grant, import_documents, list_documents
from portal.cli.demo import demo
from portal.cli.failures import Commands
from portal.cli.ledger import ledger
from portal.cli.people import group, user
from portal.cli.serve import serve
from portal.cli.shares import share
from portal.cli.storage import backup, gc, restore, scrub, verify
from portal.cli.upkeep import check, migrate

PRIVATE = 0o077
"""Whatever a command creates is the operator's alone: databases, blobs, backups."""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portal", message="%(version)s")
def cli() -> None:
    """The document portal: serve it, and look after its people, documents and storage."""
    os.umask(PRIVATE)


for command in (
    serve, demo, migrate, check,
    user, group, add_category, add_grant,
    import_documents, list_documents, share,
    verify, scrub, gc, backup, restore, audit, ledger,
):  # fmt: skip
    cli.add_command(command)


def _open_missing() -> None:
    """Whoever closed stdout or stderr wants to hear nothing; but their numbers must not go to other files."""
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def main() -> None:
    """What `.venv/bin/portal` runs. Names in any script are printed on any terminal, escaped where it must be."""
    _open_missing()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # both are TextIOWrapper here
    cli.main(prog_name="portal")
