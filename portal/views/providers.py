"""Signing in at a provider (OpenID Connect): there, and back. Loaded only where one is set: ``portal.create_app``."""

import hmac
import logging
from datetime import timedelta

from flask import Blueprint, Response, current_app, redirect, render_template, request
from flask.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response as AnyResponse

from portal import accounts
from portal.accounts import Returned, SignedIn
from portal.addresses import absolute
from portal.errors import (
    PortalError,
    ProviderProblem,
    ProviderRefused,
    ProviderRequestGone,
    ProviderUnavailable,
    SignInFailed,
    TooManyTries,
)
from portal.extensions import settings
from portal.openid import Proof
from portal.openid.provider import Client, Provider
from portal.settings import Settings
from portal.views.auth import login_page
from portal.views.cookies import give_provider, provider_cookie, take_provider
from portal.views.entering import entered
from portal.views.guard import allow, find_person, person, safe_next
from portal.views.notices import done
from portal.views.requests import agent, network

bp = Blueprint("providers", __name__)

log = logging.getLogger("portal")

CALLBACK = "/login/provider/callback"
CODE_LENGTH = 4096
CLOCKS = timedelta(seconds=60)
"""By so much the clock of the provider may be behind ours."""
AWAY = ("server_error", "temporarily_unavailable")


@bp.record
def prepare(state: BlueprintSetupState) -> None:
    """Make the provider of this application from its settings; nobody is asked yet."""
    chosen: Settings = state.app.config["PORTAL"]
    client = Client(
        issuer=chosen.oidc_issuer,
        client_id=chosen.oidc_client_id,
        client_secret=chosen.oidc_client_secret,
        redirect_uri=absolute(chosen.base_url, CALLBACK),
        scopes=chosen.oidc_scopes,
        groups_claim=chosen.oidc_groups_claim,
    )
    state.app.extensions["portal.provider"] = Provider(client)


@bp.app_context_processor
def common() -> dict[str, str]:
    """What templates know where there is a provider, and only there."""
    return {"provider_name": settings().oidc_name}


@bp.post("/login/provider")
@allow("anyone")
def begin() -> AnyResponse:
    """To the provider, to come in."""
    target = safe_next(request.form.get("next", "/"))
    try:
        return _send("enter", target)
    except (ProviderProblem, TooManyTries) as problem:
        return _refused(target, problem)


@bp.post("/account/identities/link")
@allow("signed in", fresh=True, page="identities.show")
def link() -> AnyResponse:
    """To the provider, to link the account there with the one here."""
    return _send("link", "/", person())


@bp.post("/account/confirm/provider")
@allow("signed in")
def prove() -> AnyResponse:
    """To the provider, to prove once more who they are."""
    return _send("prove", safe_next(request.form.get("next", "/account")), person())


@bp.get(CALLBACK)
@allow("anyone")
def come_back() -> AnyResponse:
    """Back from the provider, once, in the browser that was sent there."""
    try:
        returned = _spend_request()
    except ProviderRequestGone as problem:
        return _refused("/", problem)
    response = _enter(returned) if returned.purpose == "enter" else _recognise(returned)
    take_provider(response, settings())
    return response


def _send(purpose: str, target: str, who: SignedIn | None = None) -> Response:
    """A page that leads to the provider by itself.

    No redirect: a browser holds the redirects that follow a form against ``form-action``, all of them, and where a
    provider leads people on to nobody knows beforehand.
    """
    user_id = who.user_id if who is not None else None
    begun = accounts.begin_request(purpose, target, network=network(), user_id=user_id)
    try:
        address = _provider().address(begun.state, begun.nonce, begun.verifier, is_anew=purpose == "prove")
    except ProviderProblem as problem:
        log.warning("the provider %s: %s", settings().oidc_issuer, problem.reason)
        raise
    response = Response(render_template("auth/handing_over.html", address=address))
    give_provider(response, settings(), begun.state, accounts.REQUEST_SECONDS)
    return response


def _spend_request() -> Returned:
    """Why somebody comes back. Whoever did not begin in this browser spends nothing. Raises ProviderRequestGone."""
    state, kept = request.args.get("state", ""), request.cookies.get(provider_cookie(settings()), "")
    if not hmac.compare_digest(state.encode(), kept.encode()):
        raise ProviderRequestGone
    return accounts.spend_request(state)


def _enter(returned: Returned) -> AnyResponse:
    try:
        proof = _identify(returned)
        where, program, is_two_factor = network(), agent(), proof.is_two_factor
        user_id = accounts.admit(proof, network=where, agent=program)
        outcome = accounts.enter(user_id, "provider", network=where, agent=program, is_two_factor=is_two_factor)
    except (ProviderProblem, ProviderRefused) as problem:
        return _refused(returned.target, problem)
    except SignInFailed:  # disabled this very moment
        return _refused(returned.target, ProviderRefused())
    return entered(outcome, returned.target)


def _recognise(returned: Returned) -> AnyResponse:
    """Somebody who is signed in links the account they come back with, or has proved to be there still."""
    who = find_person()
    if who is None or who.user_id is None or who.user_id != returned.user_id:
        raise ProviderRequestGone
    proof = _identify(returned)
    accounts.require_allowed(proof)
    if returned.purpose == "link":
        accounts.link_identity(who, who.user_id, proof)
        return done("identity-linked", "identities.show")
    _require_anew(who, proof, returned)
    accounts.make_fresh(who)
    return redirect(returned.target, 303)


def _require_anew(who: SignedIn, proof: Proof, returned: Returned) -> None:
    """It must be the account that is linked, and they must have signed in there since they were sent."""
    identity = accounts.find_identity(proof)
    if identity is None or identity.user_id != who.user_id:
        raise ProviderRefused("This is another account than the one you are linked with. Nothing was changed.")
    if proof.proved_at is None or proof.proved_at < (returned.begun_at - CLOCKS).timestamp():
        raise ProviderRefused(
            "You were not asked anew who you are, so this proves nothing. Sign out here and in again instead."
        )


def _identify(returned: Returned) -> Proof:
    """Who came back. Raises ProviderRefused and ProviderProblem, the reason of which is logged."""
    code = request.args.get("code", "")
    try:
        if "error" in request.args:
            raise _no_code(request.args["error"])
        if not 0 < len(code) <= CODE_LENGTH:
            raise ProviderRefused
        return _provider().identify(code, returned.nonce, returned.verifier, issuer=request.args.get("iss"))
    except ProviderProblem as problem:
        log.warning("the provider %s: %s", settings().oidc_issuer, problem.reason)
        raise


def _no_code(error: str) -> PortalError:
    if error in AWAY:
        return ProviderUnavailable(f"it says {error}")
    if error == "access_denied":
        return ProviderRefused("You did not go through with it where you were to sign in. Nothing was changed.")
    log.warning("the provider %s: it sends somebody back with %.100r", settings().oidc_issuer, error)
    return ProviderRefused()


def _refused(target: str, problem: PortalError) -> Response:
    return login_page(target, problem=problem)


def _provider() -> Provider:
    found: Provider = current_app.extensions["portal.provider"]
    return found
