"""Errors as pages that say what happened and what to do. Unknown and forbidden are one constant page."""

import logging
import secrets
import sqlite3
from http import HTTPStatus

from flask import Flask, Response, current_app, jsonify, render_template, request
from flask_wtf.csrf import CSRFError
from gunicorn.http.errors import ParseException
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import ObjectDeletedError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, SecurityError

from portal.errors import BearerRefused, Busy, Conflict, PortalError, ScopeMissing, StorageFull
from portal.views.guard import name_seen_as
from portal.views.requests import bearer_token, current_request

SENTENCES = {
    400: "The request arrived incomplete or mistyped.",
    403: "You may not do this here.",
    405: "This address cannot be used in this way.",
    413: "This is larger than what may be sent here. Nothing was stored.",
    414: "This address is too long.",
    415: "This kind of content is not taken here.",
    429: "That was too much at once. Wait a little, then try again.",
    431: "The request has too many headers.",
}
HEADLINES = {
    400: "This did not arrive as it should",
    403: "This is not yours to do",
    409: "This does not fit any more",
    410: "This address works no more",
    413: "This is too large",
    415: "This type is not taken here",
    422: "One thing to mend",
    429: "Too much at once",
    500: "Something went wrong on our side",
    503: "Not just now",
    507: "There is no space left",
}
FORM_EXPIRED = "This page was open too long or came from elsewhere. Open it again and send it once more."
FOREIGN_HOST = "This portal does not answer under this name. Use the address that people were given.\n"

DATABASE_FULL = "There is no space left to write down what happens here, so nothing is given out or taken in."

log = logging.getLogger("portal")


def init_app(app: Flask) -> None:
    """One handler for each family of errors; views never build an error page."""
    app.register_error_handler(PortalError, answer_portal_error)
    app.register_error_handler(CSRFError, answer_csrf)
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(OperationalError, answer_busy)
    app.register_error_handler(PoolTimeout, answer_busy)
    app.register_error_handler(IntegrityError, answer_conflict)
    app.register_error_handler(ObjectDeletedError, answer_gone)
    app.register_error_handler(ParseException, answer_unreadable)
    app.register_error_handler(Exception, answer_bug)


def answer_gone(_: ObjectDeletedError) -> Response:
    """What the page is about was removed by somebody else while it was made."""
    return not_found()


def answer_portal_error(problem: PortalError) -> Response:
    """A refusal with its own sentence."""
    if problem.status == HTTPStatus.NOT_FOUND:
        return not_found()
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # No fault of who asked: storage or capacity, and nobody but the operator can mend it.
        what, why = type(problem).__name__, problem.__cause__ or "no further reason"
        log.warning("%s at %s %s: %s", what, request.method, request.path, why)
    response = page(problem.status, problem.sentence, problem.retry_after)
    if isinstance(problem, BearerRefused):
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    elif isinstance(problem, ScopeMissing):
        response.headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{problem.scope}"'
    return response


def answer_csrf(problem: CSRFError) -> Response:
    """A form without the right token."""
    return page(400, FORM_EXPIRED)


def answer_http(problem: HTTPException) -> Response:
    """What Flask and Werkzeug refuse themselves; redirects pass."""
    code = problem.code or 500
    if isinstance(problem, SecurityError):
        # Without a host it answers for, Flask can build no address, and so no page of ours.
        return Response(FOREIGN_HOST, code, mimetype="text/plain")
    if code < HTTPStatus.BAD_REQUEST:
        response: Response = current_app.make_response(problem.get_response())
        return response
    if code == HTTPStatus.NOT_FOUND:
        return not_found()
    response = page(code, SENTENCES.get(code, SENTENCES[400]))
    if isinstance(problem, MethodNotAllowed) and problem.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(problem.valid_methods))
    return response


def answer_busy(problem: Exception) -> Response:
    """The database did not answer in time, or its disk is full: nothing was changed."""
    if getattr(getattr(problem, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        log.error("there is no space left for the database")
        return page(StorageFull.status, DATABASE_FULL)
    log.warning("the database is busy: %s", type(problem).__name__)
    return page(Busy.status, Busy.sentence, Busy.retry_after)


def answer_conflict(problem: IntegrityError) -> Response:
    """Two changed the same at once, and the database let one of them: the other looks again."""
    log.warning("a change met another: %s", type(problem.orig).__name__)
    return page(Conflict.status, Conflict.sentence)


def answer_unreadable(problem: ParseException) -> Response:
    """A body in chunks that are none: the server only finds that out while somebody reads it."""
    return page(400, SENTENCES[400])


def answer_bug(problem: Exception) -> Response:
    """Whatever nobody thought of: a number for the log, and nothing else, leaves."""
    number = secrets.token_hex(4)
    log.error("failure %s at %s %s", number, request.method, request.endpoint, exc_info=problem)
    return page(500, f"Nothing was changed. If it happens again, tell an administrator this number: {number}.")


def not_found() -> Response:
    """The one page for unknown and forbidden: the same bytes for everybody, whatever they asked for."""
    return Response(render_template("errors/not_found.html"), 404)


def page(status: int, sentence: str, retry_after: int | None = None) -> Response:
    """A page with a headline for the status and the sentence; the sentence alone, or as JSON, for programs."""
    if bearer_token(current_request()) is not None:
        response = Response(f"{sentence}\n", status, mimetype="text/plain")
    elif request.is_json or request.accept_mimetypes.best == "application/json":
        response = jsonify(sentence=sentence)
        response.status_code = status
    else:
        headline = HEADLINES.get(status, HEADLINES[400])
        seen_as = name_seen_as() if status == HTTPStatus.FORBIDDEN else ""
        values = {"headline": headline, "sentence": sentence, "seen_as": seen_as}
        response = Response(render_template("errors/failure.html", **values), status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response
