"""Passkeys: a way in, a proof who is still there, and a list of one's own.

What only a script can do speaks JSON in both directions: it sends what the browser signed, and gets the page to go to
(``next``) or the ``sentence`` to say.
"""

import json
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from werkzeug.wrappers import Response as AnyResponse

from portal.accounts import passkeys
from portal.accounts.recovery import count_recovery_codes
from portal.accounts.second import require_pending
from portal.errors import BadInput, BadRequest, Conflict
from portal.models import Passkey
from portal.programs import device
from portal.views import forms
from portal.views.entering import device_tokens, entered
from portal.views.forms import path_id
from portal.views.guard import allow, person, safe_next
from portal.views.notices import done
from portal.views.pages import answer, render
from portal.views.requests import agent, network
from portal.views.second import pending_token

bp = Blueprint("passkeys", __name__)

BODY_BYTES = 64 * 1024
"""More than a browser ever sends: an attestation with all its certificates has a few KiB."""
UNREADABLE = "This is not what a browser says of a passkey. Load the page again and try once more."


@bp.post("/login/passkey/options")
@allow("anyone")
def options_to_enter() -> Response:
    """What to ask a browser for, of whoever sits before it."""
    return jsonify(passkeys.options_to_enter(network()))


@bp.post("/login/passkey")
@allow("anyone")
def enter() -> Response:
    """Sign in whoever's passkey it is."""
    body = _body()
    outcome = passkeys.sign_in_by_passkey(body.get("credential"), network=network(), agent=agent())
    return _told(entered(outcome, safe_next(_text(body, "next", "/"))))


@bp.post("/login/second/passkey/options")
@allow("anyone")
def options_to_finish() -> Response:
    """What to ask the browser of somebody for who has given the first factor."""
    return jsonify(passkeys.options_to_prove(require_pending(pending_token()).user_id))


@bp.post("/login/second/passkey")
@allow("anyone")
def finish() -> Response:
    """Take the passkey for the second factor, and let the person in."""
    body = _body()
    client = {"network": network(), "agent": agent()}
    outcome = passkeys.enter_by_second_passkey(
        pending_token(), body.get("credential"), devices=device_tokens(), **client
    )
    return _told(entered(outcome, safe_next(_text(body, "next", "/"))))


@bp.post("/account/confirm/passkey/options")
@allow("signed in")
def options_to_confirm() -> Response:
    """What to ask the browser of the person for."""
    return jsonify(passkeys.options_to_prove(person().user_id or 0))


@bp.post("/account/confirm/passkey")
@allow("signed in")
def confirm() -> Response:
    """Take the passkey for a proof who is there, and go on."""
    body = _body()
    passkeys.confirm_by_passkey(person(), body.get("credential"), device_tokens())
    return jsonify(next=safe_next(_text(body, "next", "/account")))


@bp.get("/account/passkeys")
@allow("signed in")
def show() -> str:
    """The passkeys of the person."""
    user_id = person().user_id or 0
    rows, codes_left = passkeys.list_passkeys(user_id), count_recovery_codes(user_id)
    is_possible = passkeys.is_possible()
    return render("account/passkeys.html", rows=rows, codes_left=codes_left, is_possible=is_possible)


@bp.get("/account/passkeys/new")
@allow("signed in", fresh=True)
def new() -> str:
    """What a passkey is, and the button that makes one."""
    return render("account/passkey_new.html", is_possible=passkeys.is_possible())


@bp.post("/account/passkeys/options")
@allow("signed in", fresh=True, page="passkeys.new")
def options_to_add() -> Response:
    """What to ask the browser to make."""
    return jsonify(passkeys.options_to_add(person()))


@bp.post("/account/passkeys")
@allow("signed in", fresh=True, page="passkeys.new")
def add() -> Response:
    """Keep the passkey that was made."""
    body = _body()
    passkeys.add_passkey(person(), body.get("credential"), _text(body, "name", ""), device(agent()))
    return _told(done("passkey-added", "passkeys.show"))


@bp.get("/account/passkeys/<passkey_id>")
@allow("signed in")
def edit(passkey_id: str) -> Response:
    """One of them: what it is, and what it is called."""
    return _page(passkeys.get_passkey(person(), path_id(passkey_id)))


@bp.post("/account/passkeys/<passkey_id>/rename")
@allow("signed in")
def rename(passkey_id: str) -> AnyResponse:
    """Call it something else."""
    passkey = passkeys.get_passkey(person(), path_id(passkey_id))
    try:
        passkeys.rename_passkey(person(), passkey.id, forms.text("name"))
    except BadInput as problem:
        return _page(passkey, problem)
    return done("passkey-renamed", "passkeys.show")


@bp.get("/account/passkeys/<passkey_id>/remove")
@allow("signed in", fresh=True)
def ask_remove(passkey_id: str) -> Response:
    """Whether it is to be removed."""
    return _remove_page(passkeys.get_passkey(person(), path_id(passkey_id)))


@bp.post("/account/passkeys/<passkey_id>/remove")
@allow("signed in", fresh=True)
def remove(passkey_id: str) -> AnyResponse:
    """Let it open nothing any more."""
    passkey = passkeys.get_passkey(person(), path_id(passkey_id))
    try:
        passkeys.remove_passkey(person(), passkey.id)
    except Conflict as problem:
        return _remove_page(passkey, problem)
    return done("passkey-removed", "passkeys.show")


def _page(passkey: Passkey, problem: BadInput | None = None) -> Response:
    typed = request.form.get("name", "") if problem else passkey.name
    page = render("account/passkey.html", passkey=passkey, typed=typed, problem=problem)
    return answer(page, problem)


def _remove_page(passkey: Passkey, problem: Conflict | None = None) -> Response:
    page = render("account/passkey_remove.html", passkey=passkey, problem=problem)
    return answer(page, problem)


def _body() -> dict[str, Any]:
    """What a script sent. Raises BadRequest for what is no JSON object, or longer than any answer of a browser."""
    if not request.is_json:
        abort(415)
    data = request.get_data()
    if len(data) > BODY_BYTES:
        raise BadRequest(UNREADABLE)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise BadRequest(UNREADABLE) from problem
    if not isinstance(found, dict):
        raise BadRequest(UNREADABLE)
    return found


def _text(body: dict[str, Any], name: str, default: str) -> str:
    """One of the texts beside what was signed. Raises BadRequest when it is none."""
    found = body.get(name, default)
    if not isinstance(found, str):
        raise BadRequest(UNREADABLE)
    return found


def _told(response: AnyResponse) -> Response:
    """A redirect for a script, cookies included: sent as one, the page would be loaded where nobody sees it."""
    told = jsonify(next=response.location)
    for cookie in response.headers.getlist("Set-Cookie"):
        told.headers.add("Set-Cookie", cookie)
    return told
