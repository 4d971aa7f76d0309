"""`portal worker`: does what no request waits for, beside `portal serve` or alone."""

import os
from collections.abc import Callable
from functools import partial

import click

from portal import accounts, downloads, jobs, notices, previews, search, settings, uploads
from portal.catalog import bulk_edits, news, scans
from portal.cli.installation import opened, require_schema
from portal.cli.logs import send_messages_to_stderr
from portal.extensions import application_context
from portal.uploads import distributing, resumable

LOOKS: dict[str, jobs.Look] = {
    accounts.RESETS: accounts.resolve_resets,
    uploads.LOOK: uploads.rescan_due,
    resumable.EXPIRY: resumable.sweep,
    downloads.LOOK: downloads.look_for_silent,
    scans.LOOK: uploads.scan_waiting,
    news.LOOK: news.tell_news,
    notices.LOOK: partial(notices.send_due, click.echo),
    bulk_edits.LOOK: bulk_edits.run_edits,
    distributing.LOOK: distributing.run_distributions,
    search.LOOK: search.take_turn,
    previews.LOOK: previews.take_turn,
}
"""What a worker looks at, by the names it is woken with."""


@click.command("worker")
def work() -> None:
    """Send mails, look for viruses, change many documents, keep the index of words and make previews.

    `portal serve` does so itself; this is for `portal serve --no-worker`, or for a second machine. It ends after the
    mail or document it is at.
    """
    require_schema(settings.load().database_url)
    send_messages_to_stderr()
    run()


def run(is_wanted: Callable[[], bool] = lambda: True) -> None:
    """Work in this process until SIGTERM, SIGINT or SIGHUP comes, or nobody wants it any more.

    Raises like ``opened``.
    """
    chosen = settings.load()
    with opened(chosen):
        jobs.work(chosen, LOOKS, application_context(), is_wanted)


def run_for(parent: int) -> None:
    """Work for as long as the process lives that this one was forked from."""
    run(lambda: os.getppid() == parent)
