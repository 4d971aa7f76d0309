"""The index of words: made anew beside a running server."""

import click

from portal import search
from portal.cli.installation import opened
from portal.cli.output import as_json, counted, print_json, progress


@click.command
@as_json
def reindex(as_json: bool) -> None:
    """Make the index of words anew. People go on finding meanwhile; broken off, it may be started again."""
    with opened(), progress("Indexing") as tell:
        done = search.reindex(tell)
    if as_json:
        print_json({"documents": done})
    else:
        click.echo(f"{counted(done, 'document', 'documents')} indexed.")
