"""The guard before every view: who asks, whether they may, and whether the request comes from our own pages.

Closed by default: a view without a declared permission does not start.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import flask_login
from flask import Flask, Request, Response, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal import access, accounts, audit
from portal.accounts import SignedIn
from portal.errors import Forbidden, NotFound, ScopeMissing, TooManyTries
from portal.extensions import csrf, release_connection, settings, transaction
from portal.views.cookies import session_cookie
from portal.views.requests import PortalRequest, bearer_token, current_request, network

Permission = Literal["anyone", "signed in", "publisher", "administrator"]
Scope = Literal["read", "publish", "admin"]
View = TypeVar("View", bound=Callable[..., object])
Room = Callable[[Mapping[str, Any]], int]
"""How many bytes of files may come, by what stands in the address; raises for an address that takes none."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
DENIED = (100, 60)
"""So many refused pages of one person the log has, within so many seconds: nobody can flood it."""
FORM_BYTES = 1024 * 1024
FORM_ROOM = 1024 * 1024
"""What the other fields of a form with documents may need."""

_DECLARED = "portal_permission"
_FILES = "portal_takes_files"
_FRESH = "portal_wants_fresh"
_SCOPE = "portal_scope"
_SHOWN = "portal_is_shown_to_viewers"

SCOPES: dict[Permission, Scope] = {"publisher": "publish", "administrator": "admin"}
"""What a token of a program needs for pages of this permission. Others take none unless they say so."""
END_VIEWING = frozenset({"viewing.stop", "auth.logout"})
"""All that somebody may change who sees the portal as somebody else does."""
TYPED = frozenset({"searching.show", "searching.suggest", "copies.of_any", "copies.of_document"})
"""What people paste into is in the address of these, with whatever signs are in it: they say what they make of it."""
LONGEST_ADDRESS = 8000
"""A little less than the server takes of one; where to go on is said in it once more, spelled longer."""
NO_TOKENS = "No token opens this page: it is for people, who sign in with a browser."
NOTHING_CHANGES = "You see the portal as {} does, and nothing can be changed. Press “Stop” first."
PROVED = "proved"
"""The notice of a page whose form was sent, and not taken before whoever sent it had proved who they are."""
THEIR_OWN = "This page is for {} alone. It is not shown to whoever sees the portal as they do."


class PersonManager(flask_login.LoginManager):
    """Flask-Login carries the person of a request, and nothing else.

    Who is signed in is a row of ours, found by our own cookie: what Flask-Login would look for in its session and in a
    cookie of its own is never there, and looking costs every request.
    """

    def _load_user(self) -> None:
        self._update_request_context_with_user(load_person(current_request()))  # type: ignore[no-untyped-call]

    def _update_remember_cookie(self, response: Response) -> Response:
        return response


def allow(
    permission: Permission,
    *,
    files: bool | Room = False,
    fresh: bool = False,
    page: str = "",
    scope: Scope | None = None,
    is_shown: bool = False,
) -> Callable[[View], View]:
    """Declare who may call a view, and whether its form brings documents: as many bytes as may be uploaded, or as
    many as ``files`` finds there is room for, before the first of them is taken in.

    ``fresh`` asks for somebody who proved who they are within ten minutes; whoever did longer ago is asked to do so and
    led back: to ``page``, the endpoint of the page the form is on, when the address of the view itself is no page.

    ``scope`` opens it to the tokens of programs, and to administrators who see the portal as somebody else does;
    ``is_shown`` to the latter alone.
    """

    def declare(view: View) -> View:
        needed = scope or SCOPES.get(permission)
        setattr(view, _DECLARED, permission)
        setattr(view, _FILES, files)
        setattr(view, _FRESH, (fresh, page))
        setattr(view, _SCOPE, needed)
        setattr(view, _SHOWN, is_shown or needed is not None)
        return view

    return declare


def permission_of(app: Flask, endpoint: str) -> Permission:
    """Who may call an endpoint. Raises LookupError when nobody said."""
    declared: Permission | None = getattr(app.view_functions[endpoint], _DECLARED, None)
    if declared is None:
        raise LookupError(f"the view {endpoint} does not say who may call it")
    return declared


def require_declared(app: Flask) -> None:
    """Refuse to start with a view that does not say who may call it."""
    for rule in app.url_map.iter_rules():
        permission_of(app, rule.endpoint)


def person() -> SignedIn:
    """The person signed in; only for views that need one."""
    found = find_person()
    if found is None:
        raise NotFound
    return found


def find_person() -> SignedIn | None:
    """The person signed in, or None on pages open to anyone."""
    found = flask_login.current_user._get_current_object()
    return found if isinstance(found, SignedIn) else None


def name_seen_as() -> str:
    """As whom an administrator sees the portal, "" for nobody or while it is not known who asks: for error pages, which
    ask no database.
    """
    found = g.get("_login_user")
    return found.name if isinstance(found, SignedIn) and found.viewer_id is not None else ""


def load_person(asked: Request) -> SignedIn | None:
    """The person of the token in the ``Authorization`` header, else of the session cookie, by one query.

    With such a header the cookie is ignored: who sends one means it. Raises BearerRefused.
    """
    bearer = bearer_token(asked)
    if bearer is not None:
        return accounts.require_bearer(bearer, network()) if _is_closed(asked) else None
    found = accounts.find_session(asked.cookies.get(session_cookie(settings()), ""), network())
    return accounts.note_visit(found) if found is not None else None


def stand_guard() -> AnyResponse | None:
    """Before every view; what changes something needs a form of ours too, which is read last."""
    asked = current_request()
    if asked.endpoint is None or asked.routing_exception is not None:
        return None
    _require_readable_address(asked)
    view = current_app.view_functions[asked.endpoint]
    permission: Permission = getattr(view, _DECLARED, "administrator")
    files: bool | Room = getattr(view, _FILES, False)
    fresh, page = getattr(view, _FRESH, (False, ""))
    is_by_browser = permission == "anyone" or bearer_token(asked) is None
    if asked.method not in SAFE and is_by_browser:
        _require_own_page()
    _limit_body(asked, files)
    who = find_person() if permission != "anyone" or asked.method not in SAFE else None
    if who is not None and who.viewer_id is not None:
        _require_looking(who, view, asked)
    if permission != "anyone":
        if who is None:
            return to_sign_in()
        if who.scopes is not None:
            _require_scope(who.scopes, view, asked)
        _require_role(who, permission)
        if fresh and not who.is_fresh:
            return _to_confirm(asked, page)
    if asked.method not in SAFE:
        release_connection()  # the body may take hours to come
        if fresh:
            asked.get_data(parse_form_data=True)
        if is_by_browser:  # no browser sends a token by itself, whatever page is open in it
            csrf.protect()
        if fresh:
            return _look_again(asked, page)
    return None


def _look_again(asked: Request, page: str) -> AnyResponse | None:
    """Once the body is there: whoever held it back may have been signed out meanwhile, or is not fresh any more."""
    who = load_person(asked)
    if who is None:
        return to_sign_in()
    return None if who.is_fresh else _to_confirm(asked, page)


def to_sign_in() -> AnyResponse:
    """Send somebody to the sign-in page, and back here afterwards when that is safe to repeat."""
    wanted = request.full_path.rstrip("?") if request.method in SAFE else "/"
    address = f"{url_for('auth.login')}?next={quote(wanted, safe='/')}"
    return redirect(address if len(address) <= LONGEST_ADDRESS else url_for("auth.login"))


def _to_confirm(asked: Request, page: str) -> AnyResponse:
    """Ask who they are once more. A form that was sent is not: its page, which they come back to, says so."""
    wanted = request.full_path.rstrip("?")
    if page or asked.method not in SAFE:
        known = asked.view_args or {}
        endpoint = page or asked.endpoint or ""
        rule = next(current_app.url_map.iter_rules(endpoint))
        narrowed = asked.args.to_dict() if asked.method in SAFE else {}
        address = url_for(endpoint, **{name: known[name] for name in rule.arguments})
        wanted = f"{address}?{urlencode(narrowed | {'done': PROVED})}"
    return redirect(f"{url_for('confirm.show')}?next={quote(wanted, safe='/')}", 303)


def safe_next(target: str) -> str:
    """``target`` if it is a path of this portal, else ``/``; browsers read a backslash as a slash and skip tabs."""
    is_plain = target.isascii() and target.isprintable() and "\\" not in target and " " not in target
    if not is_plain or not target.startswith("/") or target.startswith("//"):
        return "/"
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else "/"


def init_app(app: Flask) -> None:
    """Put the guard in front, and let it call for the CSRF token of a form: what reads asks for none."""
    app.request_class = PortalRequest
    # Without its context processor: an error page would look for the person again.
    PersonManager(app, add_context_processor=False)  # type: ignore[no-untyped-call]
    app.before_request(stand_guard)
    csrf.init_app(app)


def _require_readable_address(asked: Request) -> None:
    is_typed = asked.endpoint in TYPED
    if "\0" in asked.path or (not is_typed and asked.query_string and "\0" in "".join(asked.args.values())):
        raise NotFound


def _limit_body(asked: Request, files: bool | Room) -> None:
    if isinstance(asked, PortalRequest):
        asked.takes_files = bool(files)
    asked.max_form_memory_size = FORM_BYTES
    room = settings().max_upload
    if callable(files) and asked.method not in SAFE:
        room = files(asked.view_args or {})
    asked.max_content_length = room + FORM_ROOM if files else FORM_BYTES


def _require_own_page() -> None:
    """A form must come from our own pages. Programs send neither header; browsers always send one of the two."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise Forbidden("This form was sent from another site. Open the page here and send it again.")
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Forbidden("This form was sent from another site. Open the page here and send it again.")


def _is_closed(asked: Request) -> bool:
    view = current_app.view_functions.get(asked.endpoint or "")
    return getattr(view, _DECLARED, None) != "anyone"


def _require_scope(held: frozenset[str], view: object, asked: Request) -> None:
    """The scope of a token only narrows: what the person may do is looked at as for everybody else.

    Whatever asks for somebody who has just proved who they are takes none.
    """
    needed: Scope | None = getattr(view, _SCOPE, None)
    fresh, _ = getattr(view, _FRESH, (False, ""))
    if needed is None or fresh or (needed == "read" and asked.method not in SAFE):
        raise Forbidden(NO_TOKENS)
    if needed not in held:
        raise ScopeMissing(needed)


def _require_looking(who: SignedIn, view: object, asked: Request) -> None:
    if asked.endpoint in END_VIEWING:
        return
    if asked.method not in SAFE:
        raise Forbidden(NOTHING_CHANGES.format(who.name))
    if not getattr(view, _SHOWN, False):
        raise Forbidden(THEIR_OWN.format(who.name))


def _require_role(who: SignedIn, permission: Permission) -> None:
    is_enough = who.is_admin or permission == "signed in"
    if permission == "publisher" and not is_enough:
        is_enough = access.publishes_somewhere(who)
    if not is_enough:
        with suppress(TooManyTries), transaction():
            accounts.record_try((f"denied:{who.viewer_id or who.user_id}", *DENIED))
            audit.record_event("access.denied", actor=who, endpoint=request.endpoint or "")
        raise NotFound
