"""Mails: what became of each, and what to do about those that were not taken. What they say is shown nowhere."""

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from portal import notices
from portal.extensions import settings
from portal.mailservers import mail_server
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person
from portal.views.notices import done

bp = Blueprint("mail", __name__, url_prefix="/admin/mail")

STATES = {"parked": "not taken", "waiting": "wait", "sent": "sent", "dropped": "not to be sent"}
"""State of a list to the words of its tally."""
PRINTED = "printed"
"""What became of a mail that no server took, for there is none."""
EMAIL_LENGTH = 254


@bp.get("")
@allow("administrator")
def show() -> Response:
    """Every mail, the newest first, narrowed by ``?state=`` and ``?email=``, a part of an address."""
    email, state = request.args.get("email", "")[:EMAIL_LENGTH], _state(request.args.get("state", ""))
    rows, after = notices.list_mails(email, forms.query_id("after"), state=state)
    server = mail_server(settings().mail_url)
    return house.show(
        "admin/mail.html",
        rows=rows,
        after=after,
        counts=notices.count_mails(),
        most=notices.MOST_COUNTED,
        states=STATES if server else STATES | {"sent": PRINTED},
        state=state,
        email=email,
        server=server.name if server else None,
        are_late=notices.are_late(),
    )


@bp.post("/<mail_id>/retry")
@allow("administrator")
def retry(mail_id: str) -> AnyResponse:
    """Try one again now."""
    notices.retry_mail(person(), forms.path_id(mail_id))
    return done("mail-retried", "mail.show", state=_asked_state())


@bp.post("/<mail_id>/drop")
@allow("administrator")
def drop(mail_id: str) -> AnyResponse:
    """Do not send one."""
    notices.drop_mail(person(), forms.path_id(mail_id))
    return done("mail-dropped", "mail.show", state=_asked_state())


@bp.post("/retry")
@allow("administrator")
def retry_parked() -> AnyResponse:
    """Try everything again that is parked."""
    notices.retry_parked(person())
    return done("mails-retried", "mail.show")


def _state(text: str) -> str | None:
    return text if text in STATES else None


def _asked_state() -> str | None:
    """Which list the button stood in."""
    return _state(forms.text("state"))
