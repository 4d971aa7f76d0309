"""Resumable uploads for browsers and programs: tus 1.0 (https://tus.io/protocols/resumable-upload) at /uploads."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import http_date

from portal.catalog import parse_ref
from portal.errors import BadInput, BadRequest, ChecksumWrong, UploadNotFound, UploadTooLarge
from portal.extensions import settings
from portal.uploads import resumable
from portal.uploads.resumable import Checksum, Listed, Progress
from portal.views import tus
from portal.views.clock import here
from portal.views.forms import checked, json_body
from portal.views.guard import allow, person
from portal.views.requests import Body, current_request

bp = Blueprint("uploads", __name__, url_prefix="/uploads")


@bp.after_request
def say_version(response: Response) -> Response:
    """Every answer says what it speaks."""
    response.headers["Tus-Resumable"] = tus.VERSION
    if response.status_code == HTTPStatus.PRECONDITION_FAILED:
        response.headers["Tus-Version"] = tus.VERSION
    return response


@bp.route("", methods=["OPTIONS"])
@allow("publisher")
def describe() -> Response:
    """What this server can do, and takes."""
    response = Response(status=HTTPStatus.NO_CONTENT)
    response.headers["Tus-Version"] = tus.VERSION
    response.headers["Tus-Extension"] = tus.EXTENSIONS
    response.headers["Tus-Max-Size"] = str(settings().max_upload)
    response.headers["Tus-Checksum-Algorithm"] = ",".join(resumable.ALGORITHMS)
    return response


@bp.post("")
@allow("publisher", files=True)
def start() -> Response:
    """Begin an upload; what comes with it are its first bytes (creation-with-upload)."""
    tus.require_version()
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if has_body:
        tus.require_body()
    announced = tus.read_announced()
    checksum = tus.read_checksum()
    if has_body and (request.content_length or 0) > announced.size:
        raise UploadTooLarge
    upload = resumable.start(person(), announced)
    if has_body or not upload.size:
        upload = _begin(upload.uuid, checksum)
    response = _tell(upload, HTTPStatus.CREATED)
    response.headers["Location"] = url_for("uploads.receive", upload=str(upload.uuid))
    if not has_body and upload.size:
        del response.headers["Upload-Offset"]
    return response


@bp.route("/<upload>", methods=["HEAD"])
@allow("publisher")
def look(upload: str) -> Response:
    """How far it is."""
    tus.require_version()
    return _look(upload)


@bp.patch("/<upload>")
@allow("publisher", files=True)
def receive(upload: str) -> Response:
    """Take the next bytes; the last of them are answered once the document is in the catalog."""
    tus.require_version()
    return _patch(upload)


@bp.delete("/<upload>")
@allow("publisher")
def cancel(upload: str) -> Response:
    """Give it up."""
    tus.require_version()
    return _cancel(upload)


@bp.post("/<upload>")
@allow("publisher", files=True)
def override(upload: str) -> Response:
    """The same for whoever stands behind something that only lets POST pass (X-HTTP-Method-Override)."""
    tus.require_version()
    method = request.headers.get("X-HTTP-Method-Override", "").upper()
    if method == "PATCH":
        return _patch(upload)
    if method == "DELETE":
        return _cancel(upload)
    if method == "HEAD":
        return _look(upload)
    raise BadRequest("Say in X-HTTP-Method-Override what this is: PATCH, HEAD or DELETE.")


@bp.get("")
@allow("publisher")
def show() -> Response:
    """The uploads under way and of the last day, for the page that goes on with them after its browser was closed."""
    return jsonify(uploads=[_listed(one) for one in resumable.list_own(person())])


@bp.put("/<upload>/facts")
@allow("publisher")
def describe_document(upload: str) -> Response:
    """Say something else of the document while its bytes are still coming."""
    said = json_body()
    try:
        if not isinstance(said, dict):
            raise BadInput("This is not a JSON object.")
        facts = {key[:100]: _plain(key[:100], value) for key, value in said.items()}
        resumable.change_facts(person(), _uuid(upload), resumable.read_facts(facts, here()))
    except BadInput as problem:
        response = jsonify(sentence=problem.sentence, field=problem.field)
        response.status_code = problem.status
        return response
    return Response(status=HTTPStatus.NO_CONTENT)


def _look(upload: str) -> Response:
    who = person()
    found = resumable.find_own(who, _uuid(upload), is_looking=who.viewer_id is not None)
    response = _tell(found, HTTPStatus.OK)
    response.headers["Upload-Length"] = str(found.size)
    response.headers["Cache-Control"] = "no-store"
    if found.announced:
        response.headers["Upload-Metadata"] = found.announced
    return response


def _patch(upload: str) -> Response:
    tus.require_body()
    offset = tus.read_number("Upload-Offset")
    return _tell(_receive(_uuid(upload), offset, tus.read_checksum()), HTTPStatus.NO_CONTENT)


def _cancel(upload: str) -> Response:
    resumable.cancel(person(), _uuid(upload))
    return Response(status=HTTPStatus.NO_CONTENT)


def _begin(uuid: Any, checksum: Checksum | None) -> Progress:
    """The bytes that come with the announcement. Where they are refused nobody learns its address: it is given up."""
    try:
        return _receive(uuid, 0, checksum)
    except (ChecksumWrong, UploadTooLarge):
        resumable.cancel(person(), uuid)
        raise


def _receive(uuid: Any, offset: int, checksum: Checksum | None) -> Progress:
    asked = current_request()
    source = asked.stream.read if asked.content_length is None else Body(asked, asked.content_length).read
    try:
        return resumable.append(person(), uuid, offset, source, announced=asked.content_length, checksum=checksum)
    except RequestEntityTooLarge as problem:
        raise UploadTooLarge from problem


def _tell(upload: Progress, status: HTTPStatus) -> Response:
    """How far it is, and what it has become."""
    response = Response(status=status)
    response.headers["Upload-Offset"] = str(resumable.offset_of(upload))
    if not upload.is_over:
        response.headers["Upload-Expires"] = http_date(upload.expires_at)
    if upload.document is not None:
        response.headers["Portal-Document"] = str(upload.document)
        response.headers["Portal-Version"] = str(upload.number)
        response.headers["Portal-Outcome"] = upload.outcome or ""
        response.headers["Content-Location"] = url_for("documents.show", ref=str(upload.document))
    return response


def _listed(one: Listed) -> dict[str, Any]:
    upload = one.progress
    target = {"kind": one.kind, "path" if one.kind == "category" else "title": one.label}
    if upload.target.document_id is not None and one.label:
        target["ref"] = str(upload.target.document_id)
    return {
        "uuid": str(upload.uuid),
        "filename": upload.filename,
        "folder": upload.target.folder,
        "size": upload.size,
        "received": upload.received,
        "state": upload.state,
        "reason": upload.reason,
        "target": target,
        "expires_at": upload.expires_at.isoformat(),
        "document": str(upload.document) if upload.document is not None else None,
    }


def _uuid(upload: str) -> Any:
    named = parse_ref(upload)
    if named is None or isinstance(named, int):
        raise UploadNotFound
    return named


def _plain(key: str, value: object) -> str:
    """A value of JSON as a header would have it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list) and all(isinstance(part, str) and "," not in part for part in value):
        return ",".join(value)
    if not isinstance(value, str):
        raise BadInput("This has to be a text.", field=key)
    return checked(value, key, 20_000)
