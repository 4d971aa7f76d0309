"""The download line for people who are signed in: documents by ref, pinned versions, and the four old doors."""

from flask import Blueprint, Response

from portal import catalog
from portal.accounts import SignedIn
from portal.catalog import Edition, parse_ref
from portal.downloads import claim_of
from portal.errors import DocumentNotFound
from portal.views.delivery import deliver
from portal.views.documents import get_pinned
from portal.views.guard import allow, person
from portal.views.requests import agent

bp = Blueprint("download", __name__)

DOORS = {"image": ("images", ""), "csv": ("csv", ".csv"), "pdf": ("pdf", ".pdf")}
"""Door to its top category and the ending that may be left out."""


@bp.get("/documents/<ref>/download")
@allow("signed in", scope="read")
def document(ref: str) -> Response:
    """The current version of a document."""
    named, who = parse_ref(ref), person()
    return _send(who, catalog.find_readable(who, named) if named is not None else None)


@bp.get("/documents/<ref>/versions/<number>/download")
@allow("signed in", scope="read")
def version(ref: str, number: str) -> Response:
    """One version of a document, pinned for ever."""
    return _send(person(), get_pinned(ref, number))


@bp.get("/get-image/<name>", defaults={"door": "image"})
@bp.get("/get-csv/<name>", defaults={"door": "csv"})
@bp.get("/get-pdf/<name>", defaults={"door": "pdf"})
@allow("signed in", scope="read")
def door(door: str, name: str) -> Response:
    """A document of one top category by filename, id or uuid."""
    (root, ending), who = DOORS[door], person()
    return _send(who, catalog.find_in_door(who, root, name, ending))


@bp.get("/get-report/<path:path>")
@allow("signed in", scope="read")
def report(path: str) -> Response:
    """A document below ``reports`` by its path."""
    who = person()
    return _send(who, catalog.find_at_path(who, f"reports/{path}"))


def _send(who: SignedIn, edition: Edition | None) -> Response:
    if edition is None:
        raise DocumentNotFound
    return deliver(edition, claim_of(who, agent()))
