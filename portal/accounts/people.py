"""Accounts: added, changed, disabled; never deleted, because ledger and log name them."""

from sqlalchemy import delete, literal, select, update

from portal import audit
from portal.accounts.api_tokens import revoke_api_tokens
from portal.accounts.entrances import close_entrances, end_views, spend_open_tokens
from portal.accounts.factors import end_weak_sessions, has_second_factor, hold_rules
from portal.accounts.letters import masked, tell
from portal.accounts.passwords import MINIMUM, SHORTEST, hash_password, needs_rehash, require_good_password
from portal.accounts.spelling import email_key, require_email, require_name
from portal.accounts.tickets import end_tickets
from portal.actors import Actor
from portal.errors import Conflict, LastAdministrator, NameTaken, UserNotFound
from portal.extensions import db, lock_on, transaction
from portal.models import AuditPerson, KnownDevice, PendingSignIn, Session, User, db_now

ROLE_GIVEN = "You are an administrator now: you may see and change everything."
ROLE_TAKEN = "You are no administrator any more. Your sessions have ended; sign in again."


def has_users() -> bool:
    """Whether anybody has an account; until then the setup address works."""
    return db.session.scalar(select(literal(1)).select_from(User).limit(1)) is not None


def find_user(email: str) -> User | None:
    """The account of this address, disabled ones included."""
    return db.session.scalar(select(User).where(User.email_key == email_key(email)))


def get_user(user_id: int) -> User:
    """The account with this id, disabled ones included. Raises UserNotFound."""
    user = db.session.get(User, user_id)
    if user is None:
        raise UserNotFound
    return user


def get_account(user_id: int) -> User:
    """The same, of somebody who can still be changed. Raises UserNotFound, and Conflict for who was erased."""
    user = get_user(user_id)
    if user.erased_at is not None:
        raise Conflict("This person was erased. Nothing can be changed any more.")
    return user


def actor_of(user: User) -> Actor:
    """This person as somebody who asks, outside any session (for the command line and for links they made)."""
    return Actor(user_id=user.id, is_admin=user.is_admin)


def add_user(
    actor: Actor | None, email: str, name: str, password: str | None = None, *, is_admin: bool = False
) -> User:
    """Add an account; without a password it waits for its one-time address.

    Raises BadInput for an address, name or password that cannot be, NameTaken when the address has an account.
    """
    email, name = require_email(email), require_name(name)
    hashed = None
    if password is not None:
        require_good_password(password, name, email)
        hashed = hash_password(password)
    with transaction():
        _require_free_address(email)
        user = _store(email, name, hashed, is_admin=is_admin)
        audit.record_event("user.added", actor=actor, thing=("user", user.id), is_admin=is_admin)
    return user


def add_first_user(email: str, name: str, password_hash: str) -> User:
    """The account of whoever sets the portal up, an administrator: the log says that they added it themselves.

    Raises BadInput for an address or name that cannot be.
    """
    email, name = require_email(email), require_name(name)
    with transaction():
        user = _store(email, name, password_hash, is_admin=True)
        audit.record_event("user.added", actor=actor_of(user), thing=("user", user.id), is_admin=True)
    return user


def _store(email: str, name: str, password_hash: str | None, *, is_admin: bool) -> User:
    user = User(
        email=email,
        email_key=email_key(email),
        name=name,
        name_key=email_key(name),
        password_hash=password_hash,
        is_admin=is_admin,
    )
    db.session.add(user)
    db.session.flush()
    audit.introduce(user.id, name, email)
    return user


def change_user(actor: Actor | None, user_id: int, *, name: str, is_admin: bool, email: str | None = None) -> User:
    """Change name, role and address; without an ``email`` the address stays. The log hears of nothing that stays.

    The person is told by mail of a new role, and of a new address at the old one, whose mailbox may hold one-time
    addresses: they are used up. Password and sessions go on working, but for sessions without a second factor of
    whoever needs one now. Raises like ``add_user``, and LastAdministrator when nobody would be left to run the portal.
    """
    name = require_name(name)
    with transaction() as session:
        if is_admin:
            hold_rules()
        user = get_account(user_id)
        if email is not None and email != user.email:
            store_email(actor, user, require_email(email))
        if (user.name, user.is_admin) == (name, is_admin):
            return user
        if user.is_admin and not is_admin:
            require_another_administrator(user_id)
        if is_admin:
            end_views(user_id)
        # Before the change: whoever gives up their own role still has it, and a session.
        audit.record_event("user.changed", actor=actor, thing=("user", user_id), is_admin=is_admin)
        if user.is_admin and not is_admin:
            session.execute(delete(Session).where(Session.user_id == user_id))
        if user.is_admin != is_admin:
            tell(user, "role_changed", what=ROLE_GIVEN if is_admin else ROLE_TAKEN)
        user.name, user.name_key, user.is_admin = name, email_key(name), is_admin
        session.execute(update(AuditPerson).where(AuditPerson.user_id == user_id).values(name=name))
        if is_admin:
            end_weak_sessions()
    return user


def disable_user(actor: Actor | None, user_id: int) -> None:
    """Close an account: its sessions end, what was about to become one, and its tokens; until it is enabled again its
    links and grants count for nothing.

    Raises Conflict for one's own, and LastAdministrator when nobody would be left to run the portal.
    """
    if actor is not None and actor.user_id == user_id:
        raise Conflict("This is your own account. Somebody else has to disable it.")
    with transaction() as session:
        user = get_account(user_id)
        if user.is_admin:
            require_another_administrator(user_id)
        user.disabled_at = session.scalar(select(db_now()))
        close_entrances(user_id)
        revoke_api_tokens(actor, user_id)
        audit.record_event("user.disabled", actor=actor, thing=("user", user_id))
        tell(user, "account_disabled")


def enable_user(actor: Actor | None, user_id: int) -> None:
    """Open a disabled account again; the password is the old one."""
    with transaction():
        user = get_account(user_id)
        user.disabled_at = None
        audit.record_event("user.enabled", actor=actor, thing=("user", user_id))
        tell(user, "account_enabled")


def set_password(actor: Actor | None, user_id: int, password: str, *, keep_session: int | None = None) -> None:
    """Set a password. Every session but ``keep_session`` ends and every one-time address of the person is used up.

    Whoever had one before is told by mail.
    """
    user = get_user(user_id)
    require_good_password(password, user.name, user.email, shortest=shortest_password(user_id))
    store_password(actor, user_id, hash_password(password), keep_session=keep_session)


def shortest_password(user_id: int) -> int:
    """How many characters a password of the person has at least: fewer beside a second factor."""
    return SHORTEST if has_second_factor(user_id) else MINIMUM


def store_password(actor: Actor | None, user_id: int, hashed: str, *, keep_session: int | None = None) -> None:
    """The same with a hash already made, so that no transaction is open while it is computed.

    Sign-ins that wait for a second factor are over. Without a session to keep it is a reset, and every browser that
    was known is a stranger again.
    """
    with transaction() as session:
        user = get_account(user_id)
        if user.password_hash is not None:
            tell(user, "password_changed")
        user.password_hash = hashed
        audit.record_event("user.password_changed", actor=actor, thing=("user", user_id))
        session.execute(delete(Session).where(Session.user_id == user_id, Session.id != (keep_session or 0)))
        session.execute(delete(PendingSignIn).where(PendingSignIn.user_id == user_id))
        if keep_session is None:
            session.execute(delete(KnownDevice).where(KnownDevice.user_id == user_id))
        end_tickets(user_id)
        spend_open_tokens(user_id)


def refresh_hash(user_id: int, stored: str, password: str) -> str:
    """Hash again with the parameters in force, at a sign-in that has just shown the password is right.

    Gives the hash the password has from now on; that of a password which was changed meanwhile is left alone.
    """
    if not needs_rehash(stored):
        return stored
    hashed = hash_password(password)
    with transaction() as session:
        unchanged = (User.id == user_id, User.password_hash == stored)
        session.execute(update(User).where(*unchanged).values(password_hash=hashed))
    return hashed


def store_email(actor: Actor | None, user: User, email: str) -> None:
    """Give a person another address; inside the transaction. Raises NameTaken.

    The old one is told, and every one-time address is used up: whoever reads the mails there may have it.
    """
    _require_free_address(email, user.id)
    audit.record_event("user.email_changed", actor=actor, thing=("user", user.id))
    tell(user, "email_changed", name=user.name, new_email_masked=masked(email))
    spend_open_tokens(user.id)
    user.email, user.email_key = email, email_key(email)
    db.session.execute(update(AuditPerson).where(AuditPerson.user_id == user.id).values(email=email))


def _require_free_address(email: str, user_id: int | None = None) -> None:
    """Raise NameTaken when the address has an account other than this one; nobody takes it until the end."""
    lock_on(f"user:{email_key(email)}")
    found = find_user(email)
    if found is not None and found.id != user_id:
        raise NameTaken(f"{email} already has an account.", field="email")


def require_another_administrator(user_id: int) -> None:
    """One who can sign in: somebody invited who never set a password helps nobody."""
    # On PostgreSQL the rows are locked, so that two administrators cannot remove each other at once.
    able = (User.is_admin, User.disabled_at.is_(None), User.password_hash.is_not(None))
    others = select(User.id).where(*able, User.id != user_id).with_for_update()
    everybody = select(User.id).where(User.is_admin).with_for_update()
    db.session.scalars(everybody).all()
    if db.session.scalars(others).first() is None:
        raise LastAdministrator
