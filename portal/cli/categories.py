"""Categories: added, moved, merged, put into the trash and brought back, by the paths they have."""

import click

from portal import catalog
from portal.cli.inputs import get_category, path_of, warn_of_twin
from portal.cli.installation import opened
from portal.cli.output import counted
from portal.errors import CategoryNotFound


@click.group("category")
def category() -> None:
    """Add, move, merge and trash categories."""


@category.command("add")
@click.argument("path")
def add(path: str) -> None:
    """Add the category at PATH, such as reports/2018, with every missing one above it."""
    with opened():
        warn_of_twin(path)
        added = catalog.ensure_category(None, path_of(path))
        click.echo(f"{added.path} is a category now.")


@category.command("move")
@click.argument("path")
@click.option("--into", metavar="PARENT", help="The category to hang it under.")
@click.option("--top", is_flag=True, help="Under none: to the top.")
def move(path: str, into: str | None, top: bool) -> None:
    """Hang the category at PATH, with all below it, under another one. Old paths lead on to it."""
    if (into is None) != top:
        raise click.UsageError("Give exactly one of --into and --top.")
    with opened():
        found, parent = get_category(path), get_category(into) if into is not None else None
        moved = catalog.move_category(None, found.id, parent.id if parent else None)
        click.echo(f"It is {moved.path} now.")


@category.command("merge")
@click.argument("path")
@click.option("--into", required=True, metavar="OTHER", help="The category it becomes part of.")
@click.option("--dry-run", is_flag=True, help="Only say what it would come to.")
def merge(path: str, into: str, dry_run: bool) -> None:
    """Make the category at PATH part of OTHER: documents, categories below it and old paths go over."""
    with opened():
        found, other = get_category(path), get_category(into)
        plan = catalog.plan_merger(None, found.id, other.id)
        for renaming in plan.renamings:
            click.echo(f"{renaming.path}/{renaming.before} becomes {renaming.path}/{renaming.after}.")
        going = counted(catalog.count_below(found)[0], "document", "documents")
        if dry_run:
            click.echo(f"{going} would go from {found.path} to {other.path}. Nothing was changed.")
            return
        merged = catalog.merge_category(None, found.id, other.id)
        click.echo(f"{going} went to {merged.path}.")


@category.command("trash")
@click.argument("path")
def trash(path: str) -> None:
    """Put the category at PATH into the trash, with all below it and the documents there."""
    with opened():
        found = get_category(path)
        going = counted(catalog.count_below(found)[0], "document", "documents")
        catalog.trash_category(None, found.id)
        click.echo(f"{found.path} is in the trash, with {going}.")


@category.command("restore")
@click.argument("path")
def restore(path: str) -> None:
    """Bring the category back that was at PATH and went into the trash last, with what went with it."""
    with opened():
        found = catalog.find_trashed(path_of(path))
        if found is None:
            raise CategoryNotFound(f"There is no category {path} in the trash that could come back.")
        restored = catalog.restore_category(None, found.id)
        click.echo(f"{restored.path} is back.")
