"""Signing in and out, the first setup, and one-time addresses to set a password."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.accounts import passkeys
from portal.errors import BadInput, NameTaken, PortalError, SignInFailed, TooManyTries
from portal.extensions import settings
from portal.models import OneTimeToken
from portal.views import forms
from portal.views.cookies import take_session
from portal.views.entering import device_tokens, entered
from portal.views.guard import allow, find_person, person, safe_next
from portal.views.notices import done
from portal.views.pages import answer
from portal.views.requests import agent, network

bp = Blueprint("auth", __name__)


@bp.get("/login")
@allow("anyone")
def login() -> AnyResponse:
    """The sign-in page."""
    target = safe_next(request.args.get("next", "/"))
    if find_person() is not None:
        return redirect(target)
    return login_page(target)


@bp.post("/login")
@allow("anyone")
def sign_in() -> AnyResponse:
    """Sign in and go where the person wanted to."""
    target = safe_next(request.form.get("next", "/"))
    email = request.form.get("email", "")
    try:
        password, client = request.form.get("password", ""), {"network": network(), "agent": agent()}
        outcome = accounts.sign_in(email, password, devices=device_tokens(), **client)
    except (SignInFailed, TooManyTries) as problem:
        return login_page(target, email, problem)
    return entered(outcome, target)


@bp.post("/logout")
@allow("signed in")
def logout() -> AnyResponse:
    """End the session, here and on the server."""
    accounts.sign_out(person())
    response = redirect(url_for("auth.login"), 303)
    take_session(response, settings())
    return response


@bp.get("/setup/<token>")
@allow("anyone")
def setup(token: str) -> Response:
    """The page of a one-time address: the first administrator, a new password, or a new email."""
    return _setup_page(token, accounts.require_token(token))


@bp.post("/setup/<token>")
@allow("anyone")
def finish_setup(token: str) -> AnyResponse:
    """Spend the address and sign the person in; a new email is only confirmed."""
    found = accounts.require_token(token)
    if found.purpose == "email":
        return _confirm_email(token, found)
    password = request.form.get("password", "")
    try:
        if found.purpose == "setup":
            user = accounts.spend_setup_token(token, forms.text("email"), forms.text("name"), password)
        else:
            user = accounts.spend_token(token, password)
    except BadInput as problem:
        return _setup_page(token, found, problem)
    return entered(accounts.enter(user.id, "address", network=network(), agent=agent()), "/", "password-set")


def _confirm_email(token: str, found: OneTimeToken) -> AnyResponse:
    here = find_person()
    try:
        user = accounts.confirm_email(token, here)
    except NameTaken as problem:
        return _setup_page(token, found, problem)
    if here is not None and here.user_id == user.id:
        return done("email-changed", "account.show")
    return done("email-confirmed", "auth.login")


def login_page(target: str, email: str = "", problem: PortalError | None = None) -> Response:
    """The sign-in page, with what was wrong."""
    is_new = not accounts.has_users()
    takes_passkeys = not is_new and passkeys.is_possible()
    values = {"target": target, "email": email, "problem": problem, "is_new": is_new, "takes_passkeys": takes_passkeys}
    page = render_template("auth/login.html", **values)
    return answer(page, problem)


def _setup_page(token: str, found: OneTimeToken, problem: PortalError | None = None) -> Response:
    user = accounts.get_user(found.user_id) if found.user_id else None
    template = "auth/email.html" if found.purpose == "email" else "auth/setup.html"
    user_id = found.user_id or 0
    shortest, has_factor = accounts.shortest_password(user_id), accounts.has_second_factor(user_id)
    asks_factor = has_factor or accounts.must_have_second_factor(user_id)
    values = {"token": token, "purpose": found.purpose, "email": found.email, "user": user, "shortest": shortest}
    page = render_template(template, problem=problem, has_factor=has_factor, asks_factor=asks_factor, **values)
    return answer(page, problem)
