"""File requests for people without an account: looking spends nothing, one form sends, and a receipt says what came."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal.accounts import sends_mail
from portal.catalog import Facts
from portal.errors import BadInput, BadRequest, PortalError, RequestGone, UploadRejected
from portal.uploads import Arrival, requesting
from portal.uploads.requesting import Opened, Sender
from portal.views import forms
from portal.views.admin.house import Form
from portal.views.admin.upload import arrive, files_of
from portal.views.guard import allow
from portal.views.pages import answer
from portal.views.requests import network

bp = Blueprint("requesting", __name__, url_prefix="/r")

NOT_THIS_TIME = "Nothing of it was kept: choose the files again."


def _room(address: Mapping[str, Any]) -> int:
    """How many bytes the request behind an address still takes; asked and counted before the first one comes."""
    opened = requesting.open_request(str(address["token"]), network())
    requesting.count_sending(opened, network())
    return opened.most_bytes


@bp.get("/<token>")
@allow("anyone")
def landing(token: str) -> Response:
    """What is asked for, by whom, and the form."""
    try:
        return _page(token, requesting.open_request(token, network()))
    except RequestGone as gone:
        return _closed(gone)


@bp.post("/<token>")
@allow("anyone", files=_room)
def send(token: str) -> AnyResponse:
    """Take in what was sent, all of it or nothing, and go on to the receipt."""
    try:
        opened = requesting.open_request(token, network())
        sender = Sender(forms.text("sender"), forms.text("email"), forms.text("note"))
        sent = requesting.submit(opened, sender, _arrivals(), network())
    except RequestGone as gone:
        return _closed(gone)
    except (BadInput, BadRequest, UploadRejected) as problem:
        return _page(token, requesting.open_request(token, network()), problem)
    return redirect(url_for("requesting.receipt", receipt=sent.receipt), 303)


@bp.get("/receipts/<receipt>")
@allow("anyone")
def receipt(receipt: str) -> Response:
    """What came, for whoever sent it."""
    found = requesting.find_receipt(receipt, network())
    return Response(render_template("requests/receipt.html", receipt=found))


def _arrivals() -> list[Arrival]:
    return [arrive(file, Facts()) for file in files_of("files")]


def _page(token: str, opened: Opened, problem: PortalError | None = None) -> Response:
    posted = Form(problem)
    values = {"token": token, "opened": opened, "again": NOT_THIS_TIME, "sends_mail": sends_mail()}
    page = render_template("requests/landing.html", posted=posted, **values)
    return answer(page, problem)


def _closed(gone: RequestGone) -> Response:
    return Response(render_template("requests/closed.html", gone=gone), gone.status)
