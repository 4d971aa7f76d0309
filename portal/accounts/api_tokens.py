"""Tokens of programs: each acts for one person, within its scopes, until its day."""

from sqlalchemy import ColumnElement, func, select, update

from portal import access, audit
from portal.accounts.letters import tell
from portal.accounts.spelling import require_name
from portal.actors import Actor
from portal.errors import BadInput, Conflict, NotFound
from portal.extensions import db, lock_on, transaction
from portal.models import ApiToken, User, db_later, db_now
from portal.tokens import make_token, token_hash

PURPOSE = "api"
SCOPES = ("read", "publish", "admin")
"""What a token may be for: pages about documents, those of publishers, those of administrators. Each includes the ones
before it, and none lets a token do more than the person may do at that moment."""
DAYS, MOST_DAYS = 90, 365
MOST_TOKENS = 50
NAME_LENGTH = 100
HINT_LENGTH = 6
DAY = 86400


def add_api_token(actor: Actor | None, user_id: int, name: str, scope: str, days: int = DAYS) -> tuple[ApiToken, str]:
    """A new token for a person, and its secret, which is stored nowhere.

    Raises BadInput for a name, scope or number of days that cannot be, or a scope the person has no use for, and
    Conflict when they have too many tokens already or their account is disabled.
    """
    name = require_name(name, NAME_LENGTH)
    if not 1 <= days <= MOST_DAYS:
        raise BadInput(f"A token works for 1 to {MOST_DAYS} days.", field="days")
    token = make_token()
    with transaction() as session:
        lock_on(f"api-tokens:{user_id}")
        user = session.get_one(User, user_id)
        if user.disabled_at is not None:
            raise Conflict("This account is disabled: no program can act for it.")
        _require_scope(user, scope)
        if len(list_api_tokens(user_id)) >= MOST_TOKENS:
            raise Conflict(f"More than {MOST_TOKENS} tokens are too many. Revoke one that is not needed first.")
        row = ApiToken(
            user_id=user_id,
            name=name,
            token_hash=token_hash(PURPOSE, token),
            token_hint=token[:HINT_LENGTH],
            scopes=" ".join(SCOPES[: SCOPES.index(scope) + 1]),
            expires_at=session.scalars(select(db_later(days * DAY))).one(),
        )
        session.add(row)
        session.flush()
        hint, scopes = row.token_hint, row.scopes  # not the name: it may be that of somebody
        audit.record_event("token.added", actor=actor, thing=("user", user_id), hint=hint, scopes=scopes, days=days)
        tell(user, "api_token_added", token_name=name, scopes=scopes.replace(" ", ", "))
    return row, token


def offered_scopes(person: Actor) -> list[str]:
    """The scopes that somebody's token may have now."""
    if person.is_admin:
        return list(SCOPES)
    return ["read", "publish"] if access.publishes_somewhere(person) else ["read"]


def list_api_tokens(user_id: int) -> list[ApiToken]:
    """The tokens of a person that were not revoked, the newest first; also those that have expired."""
    statement = select(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
    return list(db.session.scalars(statement.order_by(ApiToken.id.desc())))


def get_api_token(token_id: int) -> ApiToken:
    """The token with this id, whoever's it is. Raises NotFound for none, and for one that was revoked."""
    found = db.session.get(ApiToken, token_id)
    if found is None or found.revoked_at is not None:
        raise NotFound(f"There is no token {token_id}, or it is revoked already.")
    return found


def count_api_tokens(user_id: int) -> int:
    """How many tokens of a person work."""
    working = (ApiToken.revoked_at.is_(None), ApiToken.expires_at > db_now())
    return db.session.scalars(select(func.count()).where(ApiToken.user_id == user_id, *working)).one()


def revoke_api_token(actor: Actor | None, user_id: int, token_id: int) -> None:
    """Let a token of this person be worth nothing from now on. Raises NotFound when they have none with this id."""
    with transaction():
        if not _revoke(actor, ApiToken.user_id == user_id, ApiToken.id == token_id):
            raise NotFound


def revoke_api_tokens(actor: Actor | None, user_id: int) -> int:
    """The same for all that a person has; how many that were."""
    with transaction():
        return _revoke(actor, ApiToken.user_id == user_id)


def _revoke(actor: Actor | None, *which: ColumnElement[bool]) -> int:
    rows = db.session.scalars(select(ApiToken).where(*which, ApiToken.revoked_at.is_(None)).with_for_update()).all()
    for row in rows:
        hint, scopes = row.token_hint, row.scopes
        audit.record_event("token.revoked", actor=actor, thing=("user", row.user_id), hint=hint, scopes=scopes)
    # After it is written down: a program may revoke the token it comes with.
    db.session.execute(update(ApiToken).where(ApiToken.id.in_([row.id for row in rows])).values(revoked_at=db_now()))
    return len(rows)


def _require_scope(user: User, scope: str) -> None:
    if scope not in SCOPES:
        raise BadInput("Choose what the token may do.", field="scope")
    if scope not in offered_scopes(Actor(user_id=user.id, is_admin=user.is_admin)):
        who = "administrators" if scope == "admin" else "people who publish somewhere"
        raise BadInput(f"The scope {scope} is only for {who}.", field="scope")
