"""What a person has opened: of each document the newest version whose page they have looked at."""

from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from portal.actors import Actor
from portal.extensions import transaction
from portal.models import Seen


def note_seen(actor: Actor, document_id: int, number: int, opened: int) -> None:
    """The person looks at this version of a document, and before at ``opened``, 0 for none.

    Written once for each version. Programs see nothing, nor does an administrator who looks as somebody else.
    """
    if actor.user_id is None or actor.viewer_id is not None or actor.token_id or opened >= number:
        return
    with transaction() as session:
        make = insert_sqlite if session.get_bind().dialect.name == "sqlite" else insert_postgresql
        put = make(Seen).values(user_id=actor.user_id, document_id=document_id, number=number)
        newer = {"number": put.excluded.number, "seen_at": put.excluded.seen_at}
        keys = ["user_id", "document_id"]
        session.execute(put.on_conflict_do_update(index_elements=keys, set_=newer, where=Seen.number < number))
