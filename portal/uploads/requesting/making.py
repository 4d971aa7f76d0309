"""File requests are made, changed and revoked. The token is shown once and stored only as a hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, case, or_, select, update

from portal import access, audit
from portal.actors import Actor
from portal.catalog import get_category
from portal.catalog.categories import lock_shelves, refuse_source
from portal.catalog.inherited import require_endings
from portal.catalog.moments import require_future
from portal.catalog.texts import require_line, require_text
from portal.errors import BadInput, Conflict, RequestNotFound
from portal.extensions import db, transaction
from portal.models import PUBLISH, FileRequest, db_now
from portal.tokens import make_token, mask, token_hash

PURPOSE = "file request"
TITLE_LENGTH = 200
MOST_FILES = 100_000
MOST_BYTES = 10**15
PAST = "A link must expire in the future."
REVOKED = "This link was revoked for good. Make a new one."


@dataclass(frozen=True)
class Terms:
    """What a request says and takes; None means no end and no limit, no types every one its category takes."""

    title: str
    message: str = ""
    expires_at: datetime | None = None
    max_files: int | None = None
    max_file_bytes: int | None = None
    max_bytes: int | None = None
    types: Sequence[str] = ()


def add_request(actor: Actor | None, category_id: int, terms: Terms) -> tuple[FileRequest, str]:
    """A new request and its token, which nobody can see again. Needs ``publish`` on the category."""
    values = _values(terms)
    token = make_token()
    with transaction() as session:
        lock_shelves(category_id)  # nobody merges or removes it until the request is there
        _require_publisher(actor, category_id)
        refuse_source(get_category(category_id), "filled by others")
        require_future(terms.expires_at, PAST)
        made = FileRequest(
            token_hash=token_hash(PURPOSE, token),
            token_hint=token[:6],
            category_id=category_id,
            expires_at=terms.expires_at,
            created_by_id=actor.user_id if actor else None,
            **values,
        )
        session.add(made)
        session.flush()
        _record(actor, "request.added", made, token=mask(token))
    return made, token


def change_request(actor: Actor | None, request_id: int, terms: Terms) -> FileRequest:
    """Change what a request says and takes. A limit below what came becomes what came: it takes no more then.

    Raises Conflict for a revoked one, which takes nothing whatever its terms say.
    """
    values = _values(terms)
    with transaction() as session:
        found = get_request(actor, request_id)
        if found.revoked_at is not None:
            raise Conflict(REVOKED)
        if terms.expires_at != found.expires_at:
            require_future(terms.expires_at, PAST)
        before = terms_of(found)
        values["max_files"] = _at_least(terms.max_files, FileRequest.files)
        values["max_bytes"] = _at_least(terms.max_bytes, FileRequest.bytes)
        this = update(FileRequest).where(FileRequest.id == request_id)
        session.execute(this.values(expires_at=terms.expires_at, **values))
        session.refresh(found)
        if terms_of(found) != before:
            _record(actor, "request.changed", found)
    return found


def revoke_request(actor: Actor | None, request_id: int) -> None:
    """Revoke a request for good: nothing comes by it from the next moment on; what came stays."""
    with transaction() as session:
        found = get_request(actor, request_id)
        live = (FileRequest.id == request_id, FileRequest.revoked_at.is_(None))
        gone = update(FileRequest).where(*live).values(revoked_at=db_now()).returning(FileRequest.id)
        if session.execute(gone).first() is not None:
            _record(actor, "request.revoked", found)


def get_request(actor: Actor | None, request_id: int) -> FileRequest:
    """A request the person may change. Raises RequestNotFound, also for who may not publish where it leads."""
    found = db.session.get(FileRequest, request_id, populate_existing=True)
    if found is None or not may_change(actor, found):
        raise RequestNotFound
    return found


def may_change(actor: Actor | None, request: FileRequest) -> bool:
    """Whether somebody may publish where a request leads; one that leads nowhere any more is for administrators."""
    if actor is None or actor.is_admin:
        return True
    return request.category_id is not None and access.permission_on(actor, request.category_id) >= PUBLISH


def terms_of(request: FileRequest) -> Terms:
    """What a request says and takes now."""
    return Terms(
        title=request.title,
        message=request.message,
        expires_at=request.expires_at,
        max_files=request.max_files,
        max_file_bytes=request.max_file_bytes,
        max_bytes=request.max_bytes,
        types=tuple(request.allowed_types.split()),
    )


def is_live() -> ColumnElement[bool]:
    """Whether a request takes files now; equality with the moment of expiry counts as over."""
    return and_(
        FileRequest.revoked_at.is_(None),
        or_(FileRequest.expires_at.is_(None), FileRequest.expires_at > db_now()),
        or_(FileRequest.max_files.is_(None), FileRequest.files < FileRequest.max_files),
        or_(FileRequest.max_bytes.is_(None), FileRequest.bytes < FileRequest.max_bytes),
    )


def state_of(request: FileRequest, now: datetime) -> str:
    """``open``, ``expired``, ``full`` or ``revoked``, at a moment of the database's clock."""
    if request.revoked_at is not None:
        return "revoked"
    if request.expires_at is not None and request.expires_at <= now:
        return "expired"
    no_files = request.max_files is not None and request.files >= request.max_files
    no_bytes = request.max_bytes is not None and request.bytes >= request.max_bytes
    return "full" if no_files or no_bytes else "open"


def _require_publisher(actor: Actor | None, category_id: int) -> None:
    if actor is not None:
        access.require_permission(actor, category_id, PUBLISH)
    get_category(category_id)


def _values(terms: Terms) -> dict[str, object]:
    """The columns of checked terms, but for the end. Raises BadInput with the field."""
    title = require_line(terms.title, TITLE_LENGTH, "title")
    if not title:
        raise BadInput("Say what is asked for: it stands on top of the page.", field="title")
    if terms.max_files is not None and not 1 <= terms.max_files <= MOST_FILES:
        raise BadInput(f"A number from 1 to {MOST_FILES:,}; leave it empty for no limit.", field="max_files")
    for field in ("max_file_bytes", "max_bytes"):
        size = getattr(terms, field)
        if size is not None and not 1 <= size <= MOST_BYTES:
            raise BadInput("A size above zero, such as 20 MB; leave it empty for no limit.", field=field)
    return {
        "title": title,
        "message": require_text(terms.message, "message"),
        "max_files": terms.max_files,
        "max_file_bytes": terms.max_file_bytes,
        "max_bytes": terms.max_bytes,
        "allowed_types": " ".join(require_endings(terms.types)),
    }


def _at_least(limit: int | None, used: SQLColumnExpression[int]) -> ColumnElement[int] | None:
    return None if limit is None else case((used > limit, used), else_=limit)


def _record(actor: Actor | None, action: str, request: FileRequest, **details: object) -> None:
    said = {
        "category": request.category_id,
        "expires_at": request.expires_at.isoformat() if request.expires_at else None,
        "max_files": request.max_files,
        "max_bytes": request.max_bytes,
    }
    audit.record_event(action, actor=actor, thing=("request", request.id), label=request.title, **said, **details)


def now() -> datetime:
    """The database's clock."""
    return db.session.scalars(select(db_now())).one()
