"""Share links: made, listed, revoked. The address of one is printed once and can never be shown again."""

import click

from portal import shares
from portal.actors import PORTAL
from portal.addresses import share_address
from portal.cli.inputs import get_document, moment_of, read_password
from portal.cli.installation import opened
from portal.cli.output import as_json, moment_json, moment_text, print_columns, print_json_array
from portal.cli.people import password_stdin, warn_of_default
from portal.extensions import settings
from portal.settings import last_address
from portal.shares import LinkRow, Terms

PAGE = 500


@click.group
def share() -> None:
    """Make links for people without an account, list and revoke them."""


@share.command("add")
@click.argument("ref")
@click.option(
    "--label", default="", help="For whom it is: the page of the link begins with it, unless there is a password."
)
@click.option("--expires", metavar="WHEN", help="14d, 12h, a date (until it is over) or a time; UTC without a zone.")
@click.option("--limit", type=int, help="How often it may be downloaded.")
@password_stdin
def add_share(ref: str, label: str, expires: str | None, limit: int | None, password_stdin: bool) -> None:
    """Make a link to the document REF, an id, a uuid or a path, and print its address."""
    password = read_password() if password_stdin else None
    with opened():
        document = get_document(ref)
        terms = Terms(label=label, expires_at=moment_of(expires) if expires else None, max_downloads=limit)
        _, token = shares.add_link(None, document.id, terms, password=password)
        base_url = last_address(settings())
        click.echo(share_address(base_url, token))
        warn_of_default(base_url)


@share.command("list")
@as_json
def list_shares(as_json: bool) -> None:
    """List every link, the newest first, with how often it was used."""
    with opened():
        rows = _all_links()
    if as_json:
        print_json_array(_link(row) for row in rows)
        return
    lines = [
        (str(row.link.id), row.state, row.used_text, moment_text(row.link.expires_at), row.link.label, row.title)
        for row in rows
    ]
    print_columns(("Id", "State", "Used", "Expires", "Label", "Document"), lines)


@share.command("revoke")
@click.argument("link_id", metavar="ID", type=int)
def revoke_share(link_id: int) -> None:
    """Revoke a link for good, with every download it has handed out."""
    with opened():
        shares.revoke_link(None, link_id)
        click.echo(f"Link {link_id} is revoked.")


def _all_links() -> list[LinkRow]:
    rows, after = shares.list_links(PORTAL, limit=PAGE)
    while after is not None:
        page, after = shares.list_links(PORTAL, after=after, limit=PAGE)
        rows = rows + page
    return rows


def _link(row: LinkRow) -> dict[str, object]:
    link = row.link
    return {
        "id": link.id,
        "uuid": str(link.uuid),
        "token_hint": link.token_hint,
        "state": row.state,
        "label": link.label,
        "document_id": link.document_id,
        "title": row.title,
        "used": link.used,
        "max_downloads": link.max_downloads,
        "has_password": link.password_hash is not None,
        "expires_at": moment_json(link.expires_at),
        "created_at": moment_json(link.created_at),
    }
