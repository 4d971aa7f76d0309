"""What a browser gets that came in, or that came as far as the second factor: one way for every first factor."""

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal.accounts import Entered, SecondFactorDue
from portal.accounts.entering import PENDING_SECONDS
from portal.extensions import settings
from portal.views.cookies import give_pending, give_session, pending_cookie, take_pending


def entered(outcome: Entered | SecondFactorDue, target: str) -> AnyResponse:
    """On to where the person wanted to go (a path ``guard.safe_next`` has seen), or to the page of the second factor.

    The two have cookies of their own: what was good for waiting never becomes a session.
    """
    if isinstance(outcome, SecondFactorDue):
        response = redirect(url_for("second.show", next=target), 303)
        give_pending(response, settings(), outcome.token, PENDING_SECONDS)
        return response
    response = redirect(target, 303)
    give_session(response, settings(), outcome.token)
    if pending_cookie(settings()) in request.cookies:
        take_pending(response, settings())
    return response
