"""References of people: the code by which the organisation itself knows somebody, such as a staff number."""

import unicodedata
from collections.abc import Iterable

from sqlalchemy import select

from portal import audit
from portal.accounts.people import get_account
from portal.actors import Actor
from portal.errors import BadInput, NameTaken
from portal.extensions import db, lock_on, transaction
from portal.models import User

LENGTH = 100
CHUNK = 500
TAKEN = "Somebody else has the reference {}."


def change_reference(actor: Actor | None, user_id: int, reference: str) -> User:
    """Give a person a reference, or none with "". Raises BadInput, and NameTaken when somebody else has it."""
    reference = require_reference(reference)
    with transaction():
        user = get_account(user_id)
        if user.reference == reference:
            return user
        if reference:
            lock_on(f"reference:{reference}")
            if find_referred(reference) is not None:
                raise NameTaken(TAKEN.format(reference), field="reference")
        user.reference = reference
        audit.record_event("user.reference_changed", actor=actor, thing=("user", user_id))
    return user


def find_referred(reference: str) -> User | None:
    """The person of a reference, disabled ones included."""
    return db.session.scalar(select(User).where(User.reference == reference, User.reference != ""))


def find_owners(references: Iterable[str]) -> dict[str, int]:
    """Those of the references that somebody has, with the id of their account."""
    wanted = sorted({one for one in references if one})
    found: dict[str, int] = {}
    for start in range(0, len(wanted), CHUNK):
        theirs = select(User.reference, User.id).where(User.reference.in_(wanted[start : start + CHUNK]))
        found.update((reference, user_id) for reference, user_id in db.session.execute(theirs))
    return found


def require_reference(text: str) -> str:
    """A reference as stored, on one line. Raises BadInput when it is too long or has characters that cannot be seen."""
    reference = unicodedata.normalize("NFC", " ".join(text[: LENGTH * 10].split()))
    if len(reference) > LENGTH or not reference.isprintable():
        raise BadInput(f"A reference has at most {LENGTH} characters that can be seen.", field="reference")
    return reference
