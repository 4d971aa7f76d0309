"""What nginx says of the downloads it was handed, brought back into the ledger."""

import time
from pathlib import Path

import click

from portal.cli.installation import opened
from portal.cli.output import counted, say
from portal.downloads import CaughtUp, Follower

POLL_SECONDS = 0.5


@click.group
def ledger() -> None:
    """Look after the ledger of downloads."""


@ledger.command
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--once", is_flag=True, help="Read to the end and stop.")
def follow(file: Path, once: bool) -> None:
    """Read the log that config/nginx.conf writes, and write down what became of documents handed over.

    May be stopped and started at any time, and run twice: what has been read is known. Rotated files are read too.
    """
    with opened():
        follower = Follower(file)
        if once:
            file.stat()  # a log that is awaited is followed; here it must be there
            caught = follower.catch_up()
            _tell(caught)
            click.echo(f"{counted(caught.settled, 'transfer', 'transfers')} written down.")
            return
        click.echo(f"Following {file}")
        while True:
            _tell(follower.catch_up())
            time.sleep(POLL_SECONDS)


def _tell(caught: CaughtUp) -> None:
    """What somebody should look at."""
    if caught.strange:
        say(f"{counted(caught.strange, 'line is', 'lines are')} not in the format of config/nginx.conf.")
    if caught.refused:
        statuses = ", ".join(str(status) for status in sorted(set(caught.refused)))
        say(
            f"nginx did not send {counted(len(caught.refused), 'document', 'documents')} it was handed ({statuses}). "
            "Its workers must run under the account of the portal, and its paths lead to the portal's blobs."
        )
