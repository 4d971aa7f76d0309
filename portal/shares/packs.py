"""Packs: an ordered choice of documents; and the ticket by which a person fetches one as a zip."""

from collections.abc import Sequence

from sqlalchemy import insert, select

from portal import audit
from portal.actors import Actor
from portal.catalog import list_packed
from portal.catalog.texts import require_text
from portal.downloads import TICKET_OVER
from portal.errors import BadInput, DocumentNotFound, ShareExpired
from portal.extensions import db, transaction
from portal.models import Pack, PackItem, Ticket, User, db_later, db_now
from portal.shares.tickets import LIFETIME_SECONDS, PURPOSE
from portal.tokens import is_token, make_token, token_hash

MOST_DOCUMENTS = 10_000
TITLE_LENGTH = 200


def add_pack(actor: Actor, title: str, document_ids: Sequence[int]) -> Pack:
    """A pack of these documents in this order, each once.

    Raises DocumentNotFound, for the whole, when one of them is not the person's to read, and BadInput for none, for too
    many, or a title that cannot be one.
    """
    ids = list(dict.fromkeys(document_ids))
    title = require_text(title, "title").strip()[:TITLE_LENGTH]
    if not 1 <= len(ids) <= MOST_DOCUMENTS:
        raise BadInput(f"Choose at least one document and at most {MOST_DOCUMENTS:,}.", field="document")
    with transaction() as session:
        if len(list_packed(actor, ids)) != len(ids):
            raise DocumentNotFound
        pack = Pack(title=title, created_by_id=actor.user_id)
        session.add(pack)
        session.flush()
        items = [{"pack_id": pack.id, "position": at, "document_id": one} for at, one in enumerate(ids)]
        session.execute(insert(PackItem), items)
        audit.record_event("pack.added", actor=actor, thing=("pack", pack.id), label=title, documents=len(ids))
    return pack


def list_pack(pack_id: int) -> list[int]:
    """The ids of the documents in a pack, in its order."""
    items = select(PackItem.document_id).where(PackItem.pack_id == pack_id).order_by(PackItem.position)
    return list(db.session.scalars(items))


def issue_ticket(actor: Actor, pack: Pack) -> str:
    """The token of a ticket by which this person, and nobody else's rights, fetches the pack for a day."""
    token = make_token()
    values = {
        "token_hash": token_hash(PURPOSE, token),
        "user_id": actor.user_id,
        "pack_id": pack.id,
        "expires_at": db_later(LIFETIME_SECONDS),
        "network": actor.network,
    }
    with transaction() as session:
        session.execute(insert(Ticket).values(values))
    return token


def find_selection(token: str, network: str) -> tuple[Actor, Pack] | None:
    """Whose ticket this is and for which pack; None when it is no ticket of a person. Raises ShareExpired after a day.

    The rights are those the person has now; a disabled account has none.
    """
    if not is_token(token):
        return None
    statement = (
        select(User.id, User.is_admin, Pack, Ticket.expires_at > db_now())
        .join_from(Ticket, User, User.id == Ticket.user_id)
        .join(Pack, Pack.id == Ticket.pack_id)
        .where(Ticket.token_hash == token_hash(PURPOSE, token), User.disabled_at.is_(None))
    )
    row = db.session.execute(statement).first()
    if row is None:
        return None
    user_id, is_admin, pack, is_fresh = row
    if not is_fresh:
        raise ShareExpired(TICKET_OVER)
    return Actor(user_id=user_id, is_admin=is_admin, network=network), pack
