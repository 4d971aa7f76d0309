"""Grants, and documents by the directory."""

from collections.abc import Iterator
from typing import Any

import click
from sqlalchemy import ColumnElement, collate, select

from portal import catalog
from portal.catalog import PERMISSIONS, Principal
from portal.cli.inputs import get_category, get_group, get_user, path_of
from portal.cli.installation import opened
from portal.cli.output import as_json, print_json_array, print_texts
from portal.extensions import db
from portal.models import Category, Document, Version
from portal.sizes import size_text

BLOCK = 1000
"""Rows a long list reads from the database at a time."""


@click.command("grant")
@click.argument("path")
@click.option("--group", "group_name", metavar="GROUP", help="To everybody in this group.")
@click.option("--user", "email", metavar="EMAIL", help="To this person.")
@click.option("--everyone", is_flag=True, help="To everybody who is signed in.")
@click.option(
    "--permission", type=click.Choice(list(PERMISSIONS)), default="read", show_default=True, help="What they may do."
)
def add_grant(path: str, group_name: str | None, email: str | None, everyone: bool, permission: str) -> None:
    """Let a group, a person or everyone read, publish in or manage PATH and what is below it."""
    if sum((group_name is not None, email is not None, everyone)) != 1:
        raise click.UsageError("Give exactly one of --group, --user and --everyone.")
    with opened():
        category = get_category(path)
        principal, who = _principal(group_name, email)
        catalog.add_grant(None, category.id, principal, permission)
        click.echo(f"{who} may {permission} in {category.path}.")


@click.command("list")
@click.argument("path", default="")
@as_json
def list_documents(path: str, as_json: bool) -> None:
    """List every document at and below PATH, or all there are, ordered by path."""
    with opened():
        rows = _rows(get_category(path) if path_of(path) else None)
        if as_json:
            print_json_array(rows)
            return
        print_texts(map(_line, rows))


def _principal(group_name: str | None, email: str | None) -> tuple[Principal, str]:
    if group_name is not None:
        group = get_group(group_name)
        return Principal(group_id=group.id), group.name
    if email is not None:
        user = get_user(email)
        return Principal(user_id=user.id), user.name
    return Principal(is_everyone=True), "Everyone"


def _line(row: dict[str, Any]) -> str:
    return f"{row['id']:>8}  v{row['version']:<3} {size_text(row['size']):>10}  {row['path']}\n"


def _rows(category: Category | None) -> Iterator[dict[str, Any]]:
    """Every live document at and below a category, read in blocks, by the order of code points in its path."""
    path = Category.path + "/" + Document.filename
    statement = (
        select(Document.id, Document.uuid, path, Document.filename, Version.size, Version.sha256, Version.number)
        .join(Category, Category.id == Document.category_id)
        .join(Version, Version.id == Document.current_version_id)
        .where(Document.trashed_at.is_(None))
        .order_by(_by_code_point(path))
    )
    if category is not None:
        statement = statement.where(catalog.within(category))
    for row in db.session.execute(statement, execution_options={"yield_per": BLOCK}):
        values = (row[0], str(row[1]), *row[2:])
        yield dict(zip(("id", "uuid", "path", "filename", "size", "sha256", "version"), values, strict=True))


def _by_code_point(path: ColumnElement[str]) -> ColumnElement[str]:
    """An order that is the same on every database, whatever language it was set up for."""
    return collate(path, "C" if db.engine.dialect.name == "postgresql" else "BINARY")
