"""Cookies: one opaque token for who is signed in, and for everybody else a signed one that only carries CSRF."""

import hmac
from collections.abc import Sequence
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from werkzeug.wrappers import Response as AnyResponse

from portal.settings import Settings
from portal.tokens import is_token
from portal.views.requests import bearer_token

DEVICE_SECONDS = 400 * 86400
CSRF_FIELD = "csrf_token"
"""Where Flask-WTF looks for the secret."""


class BoundSession(SecureCookieSession):
    """The form secret of a signed-in person, derived from their session token: it needs no cookie of its own.

    Worked out when a form asks for it; a download never does.
    """

    def __init__(self, key: str, token: str) -> None:
        super().__init__()
        self._key = key
        self._token = token

    def __contains__(self, name: object) -> bool:
        return name == CSRF_FIELD or super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        if name == CSRF_FIELD and not super().__contains__(name):
            self[name] = hmac.digest(self._key.encode(), b"csrf-v1\0" + self._token.encode(), "sha256").hex()
        return super().__getitem__(name)


class PortalSessions(SecureCookieSessionInterface):
    """Flask's session holds nothing but the secret that CSRF tokens are made with."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """For a signed-in person the secret follows from the session token, so it ends with the session.

        A program that comes with a token of its own has no cookie that counts, and gets none.
        """
        bearer = bearer_token(request)
        token = request.cookies.get(session_cookie(app.config["PORTAL"]), "") if bearer is None else bearer
        if not is_token(token):
            return super().open_session(app, request)
        return BoundSession(str(app.config["SECRET_KEY"]), token)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Only guests get a cookie, and only once a page has a form for them."""
        if not isinstance(session, BoundSession):
            super().save_session(app, session, response)


def session_cookie(settings: Settings) -> str:
    """The name of the cookie with the session token."""
    return _host_name(settings, "portal")


def cookie_config(settings: Settings) -> dict[str, Any]:
    """What Flask needs to know about the cookie for guests."""
    return {
        "SESSION_COOKIE_NAME": _host_name(settings, "portal-guest"),
        "SESSION_COOKIE_PATH": "/",
        "SESSION_COOKIE_SECURE": settings.is_secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
    }


def give_session(response: AnyResponse, settings: Settings, token: str) -> None:
    """Put the token of a new session into the browser."""
    _give(response, settings, session_cookie(settings), token)


def take_session(response: AnyResponse, settings: Settings) -> None:
    """Take the token out of the browser."""
    _take(response, settings, session_cookie(settings))


def pending_cookie(settings: Settings) -> str:
    """The name of the cookie of a sign-in that waits for its second factor; it opens nothing but the page for that."""
    return _host_name(settings, "portal-pending")


def give_pending(response: AnyResponse, settings: Settings, token: str, seconds: int) -> None:
    """Let the browser that gave the first factor give the second."""
    _give(response, settings, pending_cookie(settings), token, seconds)


def take_pending(response: AnyResponse, settings: Settings) -> None:
    """Take it out of the browser: the sign-in is over, either way."""
    _take(response, settings, pending_cookie(settings))


def provider_cookie(settings: Settings) -> str:
    """The name of the cookie of a browser that was sent to the provider and is to come back."""
    return _host_name(settings, "portal-provider")


def give_provider(response: AnyResponse, settings: Settings, state: str, seconds: int) -> None:
    """Let nobody come back but this browser. Not ``Strict``: the provider leads it here."""
    _give(response, settings, provider_cookie(settings), state, seconds)


def take_provider(response: AnyResponse, settings: Settings) -> None:
    """Take it out of the browser: it has come back."""
    _take(response, settings, provider_cookie(settings))


def device_cookie(settings: Settings) -> str:
    """The name of the cookie by which a browser is known that has signed in before; it opens nothing."""
    return _host_name(settings, "portal-device")


def give_device(response: AnyResponse, settings: Settings, tokens: Sequence[str]) -> None:
    """Know the browser again for the people who have signed in with it, as long as browsers keep a cookie."""
    _give(response, settings, device_cookie(settings), ".".join(tokens), DEVICE_SECONDS)


def ticket_cookie(settings: Settings) -> str:
    """The name of the cookie by which a browser goes on with the download of a link it began."""
    return "__Secure-portal-ticket" if settings.is_secure else "portal-ticket"


def give_ticket(response: AnyResponse, settings: Settings, page: str, ticket: str, seconds: int) -> None:
    """Let the browser that pressed the button remember its ticket, for the page of that link alone."""
    _give(response, settings, ticket_cookie(settings), ticket, seconds, path=page)


def _host_name(settings: Settings, name: str) -> str:
    """The name of a cookie for this host alone: browsers keep ``__Host-`` ones to it, and to https."""
    return f"__Host-{name}" if settings.is_secure else name


def _give(
    response: AnyResponse, settings: Settings, name: str, value: str, seconds: int | None = None, *, path: str = "/"
) -> None:
    """Put a cookie into the browser: out of reach of scripts, and not sent along with what other sites have it send."""
    secure = settings.is_secure
    response.set_cookie(name, value, max_age=seconds, path=path, secure=secure, httponly=True, samesite="Lax")


def _take(response: AnyResponse, settings: Settings, name: str) -> None:
    response.delete_cookie(name, path="/", secure=settings.is_secure, httponly=True, samesite="Lax")
