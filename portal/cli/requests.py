"""File requests: made, listed, revoked. The address of one is printed once and can never be shown again."""

import click

from portal.actors import PORTAL
from portal.addresses import request_address
from portal.cli.inputs import get_category, moment_of
from portal.cli.installation import opened
from portal.cli.output import as_json, counted, moment_json, moment_text, print_columns, print_json_array
from portal.cli.people import warn_of_default
from portal.extensions import settings
from portal.settings import last_address
from portal.sizes import read_size
from portal.uploads import requesting
from portal.uploads.requesting import RequestRow, Terms

PAGE = 500


@click.group("request")
def file_request() -> None:
    """Make links by which people without an account send files, list and revoke them."""


@file_request.command("add")
@click.argument("path")
@click.option("--title", required=True, help="What is asked for; stands on top of the page.")
@click.option("--message", default="", help="A few words below it.")
@click.option("--expires", metavar="WHEN", help="14d, 12h, a date (until it is over) or a time; UTC without a zone.")
@click.option("--max-files", type=int, help="How many files it takes.")
@click.option("--max-size", metavar="SIZE", help="The most for each file, such as 20MB.")
@click.option("--max-total", metavar="SIZE", help="The most for all files together.")
@click.option("--types", default="", help="Endings that are taken, such as “pdf docx”; every one without it.")
def add_request(
    *,
    path: str,
    title: str,
    message: str,
    expires: str | None,
    max_files: int | None,
    max_size: str | None,
    max_total: str | None,
    types: str,
) -> None:
    """Make a link that takes files for the category PATH, as drafts, and print its address."""
    with opened():
        terms = Terms(
            title=title,
            message=message,
            expires_at=moment_of(expires) if expires else None,
            max_files=max_files,
            max_file_bytes=read_size(max_size or ""),
            max_bytes=read_size(max_total or ""),
            types=types.replace(",", " ").split(),
        )
        _, token = requesting.add_request(None, get_category(path).id, terms)
        base_url = last_address(settings())
        click.echo(request_address(base_url, token))
        warn_of_default(base_url)


@file_request.command("list")
@as_json
def list_requests(as_json: bool) -> None:
    """List every request, the newest first, with what came by it."""
    with opened():
        rows = _all_requests()
    if as_json:
        print_json_array(_request(row) for row in rows)
        return
    lines = [
        (str(row.request.id), row.state, counted(row.request.files, "file", "files"),
         moment_text(row.request.expires_at), row.category_path or "-", row.request.title)
        for row in rows
    ]  # fmt: skip
    print_columns(("Id", "State", "Came", "Expires", "Category", "Title"), lines)


@file_request.command("revoke")
@click.argument("request_id", metavar="ID", type=int)
def revoke_request(request_id: int) -> None:
    """Revoke a request for good; what came by it stays."""
    with opened():
        requesting.revoke_request(None, request_id)
        click.echo(f"Request {request_id} is revoked.")


def _all_requests() -> list[RequestRow]:
    rows, after = requesting.list_requests(PORTAL, limit=PAGE)
    while after is not None:
        page, after = requesting.list_requests(PORTAL, after=after, limit=PAGE)
        rows = rows + page
    return rows


def _request(row: RequestRow) -> dict[str, object]:
    request = row.request
    return {
        "id": request.id,
        "uuid": str(request.uuid),
        "token_hint": request.token_hint,
        "state": row.state,
        "title": request.title,
        "category": row.category_path,
        "files": request.files,
        "bytes": request.bytes,
        "max_files": request.max_files,
        "max_file_bytes": request.max_file_bytes,
        "max_bytes": request.max_bytes,
        "types": request.allowed_types.split(),
        "submissions": row.submissions,
        "waiting": row.waiting,
        "expires_at": moment_json(request.expires_at),
        "created_at": moment_json(request.created_at),
    }
