"""Images of previews: thumbnails and pages, for whoever may read the document; looked at again each time.

What is held or quarantined is refused as the document itself is.
"""

from flask import Blueprint, Response

from portal import catalog, previews, ranges
from portal.catalog import Edition, parse_id, parse_ref
from portal.downloads import require_released
from portal.errors import ContentUnavailable, DocumentNotFound, NotFound
from portal.extensions import release_connection
from portal.previews import Picture
from portal.views.documents import get_pinned
from portal.views.guard import allow, person
from portal.views.headers import PortalResponse, of_bytes
from portal.views.requests import current_request

bp = Blueprint("previews", __name__)

POLICY = "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
"""A browser that shows an image by itself puts it into a page of its own, with a style."""
KIND = "image/webp"
NOT_MODIFIED = 304


@bp.get("/documents/<ref>/preview/<image>")
@allow("signed in", scope="read")
def document(ref: str, image: str) -> Response:
    """``thumb``, or a page by its number, of the current version of a document."""
    named, who = parse_ref(ref), person()
    edition = catalog.find_readable(who, named) if named is not None else None
    if edition is None:
        raise DocumentNotFound
    return _send(edition, image)


@bp.get("/documents/<ref>/versions/<number>/preview/<image>")
@allow("signed in", scope="read")
def version(ref: str, number: str, image: str) -> Response:
    """The same of one version, pinned for ever."""
    return _send(get_pinned(ref, number), image)


def _send(edition: Edition, image: str) -> Response:
    number = previews.THUMBNAIL if image == "thumb" else parse_id(image)
    if number is None:
        raise NotFound
    require_released(edition)
    picture = previews.get_picture(edition, number)
    # As for HEAD: an image is never sent in parts.
    answer = ranges.answer("HEAD", current_request().headers, etag=picture.etag, size=0, modified=None)
    return _whole(picture) if answer.spans else _bare(picture, answer.status)


def _whole(picture: Picture) -> Response:
    release_connection()
    try:
        data = picture.read()
    except ContentUnavailable as problem:
        raise NotFound from problem
    response = _bare(picture, 200)
    response.set_data(data)
    response.headers["Content-Type"] = KIND
    response.headers["Content-Disposition"] = "inline"
    return response


def _bare(picture: Picture, status: int) -> Response:
    response = PortalResponse(status=status)
    response.headers.clear()
    response.headers.extend([*of_bytes(), ("ETag", picture.etag)])
    response.headers["Content-Security-Policy"] = POLICY
    return response
