"""Recovery codes, for the day a phone is lost: ten, shown once, each good for one sign-in."""

import secrets
import unicodedata

from sqlalchemy import delete, func, select

from portal import audit
from portal.accounts.letters import tell
from portal.accounts.people import get_user
from portal.actors import Actor
from portal.extensions import db, transaction
from portal.models import RecoveryCode
from portal.tokens import token_hash

CODES = 10
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Base32 as Crockford writes it: what is easily taken for another letter is left out."""
LOOK_ALIKES = str.maketrans({"o": "0", "i": "1", "l": "1"})
GROUPS, GROUP = 4, 4
"""Sixteen characters are 80 bits: no hash of them can be tried through."""
PURPOSE = "recovery"
MADE = "Ten recovery codes were made for your account. Any you had before open nothing any more."
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def issue_recovery_codes(actor: Actor, user_id: int) -> list[str]:
    """Ten new codes such as ``7h2k-9qsm-t4vx-0c3d``, which nobody can see again; those before stop working."""
    codes = [_make_code() for _ in range(CODES)]
    with transaction() as session:
        user = get_user(user_id)
        forget_recovery_codes(user_id)
        session.add_all(RecoveryCode(user_id=user_id, code_hash=_hash(code)) for code in codes)
        audit.record_event("recovery.issued", actor=actor, thing=("user", user_id))
        tell(user, "second_factor_changed", what=MADE)
    return codes


def count_recovery_codes(user_id: int) -> int:
    """How many codes of a person are left."""
    return db.session.scalars(select(func.count()).where(RecoveryCode.user_id == user_id)).one()


def take_recovery_code(actor: Actor, user_id: int, code: str) -> bool:
    """Whether this is a code of the person, which is gone with it; they are told by mail. Inside a transaction."""
    mine = (RecoveryCode.user_id == user_id, RecoveryCode.code_hash == _hash(code))
    if db.session.execute(delete(RecoveryCode).where(*mine).returning(RecoveryCode.id)).first() is None:
        return False
    left = count_recovery_codes(user_id)
    audit.record_event("recovery.used", actor=actor, thing=("user", user_id), left=left)
    words = f"{NUMBERS[left]} {'is' if left <= 1 else 'are'} left"
    tell(get_user(user_id), "second_factor_changed", what=f"A recovery code was used to sign in; {words}.")
    return True


def forget_recovery_codes(user_id: int) -> bool:
    """Let no code of the person open anything; False when there was none. Inside a transaction."""
    gone = delete(RecoveryCode).where(RecoveryCode.user_id == user_id).returning(RecoveryCode.id)
    return bool(db.session.execute(gone).all())


def _make_code() -> str:
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))


def _hash(code: str) -> bytes:
    """What is kept of a code, however it was typed: in capitals, without lines, with an O for a 0."""
    folded = unicodedata.normalize("NFKC", code[:100]).casefold().translate(LOOK_ALIKES)
    return token_hash(PURPOSE, "".join(character for character in folded if character in ALPHABET))
