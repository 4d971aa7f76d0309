"""Who people are at the provider: an issuer and a subject there, linked with one account here."""

from urllib.parse import urlsplit

from sqlalchemy import delete, select, update

from portal import audit
from portal.accounts.factors import has_passkey
from portal.accounts.letters import tell
from portal.accounts.people import get_user
from portal.actors import Actor
from portal.errors import Conflict, NotFound
from portal.extensions import db, lock_on, settings, transaction
from portal.models import Identity, User, db_now
from portal.openid import Proof

TAKEN = "That account is linked with somebody else here already."
SECOND = "You are linked with another account there already. Remove that one first."
LAST_WAY = "Without this you could not sign in any more. Set a password first, or ask an administrator to."


def list_identities(user_id: int) -> list[Identity]:
    """The accounts of a person at providers, the oldest first; also those at a provider that is not asked any more."""
    return list(db.session.scalars(select(Identity).where(Identity.user_id == user_id).order_by(Identity.id)))


def has_identity(user_id: int) -> bool:
    """Whether the person is linked at the provider that is asked now."""
    return any(identity.issuer == settings().oidc_issuer for identity in list_identities(user_id))


def find_identity(proof: Proof) -> Identity | None:
    """Who this is here, if anybody: by issuer and subject alone, for an address may change hands."""
    this = (Identity.issuer == proof.issuer, Identity.subject == proof.subject)
    return db.session.scalar(select(Identity).where(*this))


def link_identity(actor: Actor, user_id: int, proof: Proof) -> Identity:
    """Link an account at the provider with one here; the person is told by mail. Linked with it already: nothing to do.

    Raises Conflict when either is linked otherwise: of two subjects with one address the second is somebody else.
    """
    with transaction() as session:
        lock_on(f"identity:{proof.issuer}:{proof.subject}")
        lock_on(f"identities:{user_id}")
        found = find_identity(proof)
        if found is not None and found.user_id == user_id:
            return found
        if found is not None:
            raise Conflict(TAKEN)
        if any(identity.issuer == proof.issuer for identity in list_identities(user_id)):
            raise Conflict(SECOND)
        user = get_user(user_id)
        identity = Identity(user_id=user_id, issuer=proof.issuer, subject=proof.subject, email=proof.email)
        session.add(identity)
        session.flush()
        audit.record_event("identity.linked", actor=actor, thing=("user", user_id), provider=host_of(proof.issuer))
        tell(user, "identity_linked", provider=settings().oidc_name)
    return identity


def note_use(identity: Identity, proof: Proof) -> None:
    """Write down that somebody came by this account, and what its address is now; inside a transaction."""
    seen = {"used_at": db_now(), "email": proof.email or identity.email}
    db.session.execute(update(Identity).where(Identity.id == identity.id).values(seen))


def unlink_identity(person: Actor, identity_id: int) -> None:
    """Remove a link of one's own. Raises NotFound, and Conflict where it is the last way to sign in."""
    with transaction() as session:
        # As whoever removes a passkey does: of two last ways that are removed at once, one stays.
        user = session.get_one(User, person.user_id, with_for_update=True)
        lock_on(f"identities:{user.id}")
        if identity_id not in {identity.id for identity in list_identities(user.id)}:
            raise NotFound
        remove_identity(person, user.id, identity_id)
        require_way_in(user)


def remove_identity(actor: Actor, user_id: int, identity_id: int) -> None:
    """Remove a link of a person, whatever other way they have to sign in. Their sessions go on. Raises NotFound."""
    with transaction() as session:
        this = (Identity.id == identity_id, Identity.user_id == user_id)
        issuer = session.scalars(delete(Identity).where(*this).returning(Identity.issuer)).first()
        if issuer is None:
            raise NotFound
        audit.record_event("identity.removed", actor=actor, thing=("user", user_id), provider=host_of(issuer))


def host_of(issuer: str) -> str:
    """What the log calls a provider: the host of its issuer."""
    return urlsplit(issuer).hostname or ""


def require_way_in(user: User) -> None:
    """Raise Conflict when nothing is left that the person could sign in with; after one was removed."""
    is_linked = any(one.issuer == settings().oidc_issuer for one in list_identities(user.id))
    if user.password_hash is None and not is_linked and not has_passkey(user.id):
        raise Conflict(LAST_WAY)
