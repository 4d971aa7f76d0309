"""What a browser gets that came in, or that came as far as the second factor: one way for every first factor."""

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal.accounts import Entered, SecondFactorDue
from portal.accounts.devices import note_device
from portal.accounts.entering import SET_UP_SECONDS
from portal.extensions import settings
from portal.tokens import is_token
from portal.views.cookies import (
    device_cookie,
    give_device,
    give_pending,
    give_session,
    pending_cookie,
    take_pending,
)

PEOPLE_EACH = 4
"""How many people one browser is known for: each has a token of their own in its cookie."""


def entered(outcome: Entered | SecondFactorDue, target: str, word: str | None = None) -> AnyResponse:
    """On to where the person wanted to go (a path ``guard.safe_next`` has seen), or to the page of the second factor.

    The two have cookies of their own: what was good for waiting never becomes a session. The browser is known from now
    on, and who signs in on one that was not is told by mail. ``word`` is that of ``notices`` for what the page of the
    second factor says was done already.
    """
    if isinstance(outcome, SecondFactorDue):
        response = redirect(url_for("second.show", next=target, done=word), 303)
        give_pending(response, settings(), outcome.token, SET_UP_SECONDS)
        return response
    known = device_tokens()
    made = note_device(outcome.token, known)
    response = redirect(target, 303)
    give_session(response, settings(), outcome.token)
    give_device(response, settings(), ([made] if made else []) + known[: PEOPLE_EACH - bool(made)])
    if pending_cookie(settings()) in request.cookies:
        take_pending(response, settings())
    return response


def device_tokens() -> list[str]:
    """What this browser is known by, one token for each of the people who signed in with it."""
    tokens = request.cookies.get(device_cookie(settings()), "").split(".", PEOPLE_EACH)[:PEOPLE_EACH]
    return [token for token in tokens if is_token(token)]
