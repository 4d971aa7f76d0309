"""Commands for operators: `portal`. Each is thin: it reads its arguments, calls the core and says what came of it."""

import os
import sys

import click

from portal.cli.audit import audit
from portal.cli.catalog import add_grant, list_documents
from portal.cli.categories import category
from portal.cli.demo import demo
from portal.cli.distributing import distribute
from portal.cli.failures import Commands
from portal.cli.groups import group
from portal.cli.importing import import_documents, rescan
from portal.cli.ledger import ledger
from portal.cli.people import user
from portal.cli.previews import previews
from portal.cli.requests import file_request
from portal.cli.searching import reindex
from portal.cli.serve import serve
from portal.cli.shares import share
from portal.cli.storage import backup, gc, restore, scan, scrub, verify
from portal.cli.tokens import token
from portal.cli.upkeep import check, migrate
from portal.cli.working import work

PRIVATE = 0o077
"""Whatever a command creates is the operator's alone: databases, blobs, backups."""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portal", message="%(version)s")
def cli() -> None:
    """The document portal: serve it, and look after its people, documents and storage.

    Every command reads the settings of the server: config/local.toml, or the file $PORTAL_CONFIG names, and PORTAL_*.
    """
    os.umask(PRIVATE)


for command in (
    serve, work, demo, migrate, check,
    user, group, token, category, add_grant,
    import_documents, distribute, rescan, list_documents, share, file_request,
    verify, scrub, scan, gc, reindex, previews, backup, restore, audit, ledger,
):  # fmt: skip
    cli.add_command(command)


def main() -> None:
    """What `.venv/bin/portal` runs. Names in any script are printed on any terminal, escaped where it must be."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # its number would go to some other file, and what is said into that
            sys.exit("stdout and stderr must be open: send them to /dev/null instead of closing them.")
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # both are TextIOWrapper here
    cli.main(prog_name="portal")
