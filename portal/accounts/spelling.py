"""Names and addresses as people type them: how they are shown, and the one spelling they are known by. Pure."""

import unicodedata

from portal.errors import BadInput

EMAIL_LENGTH, NAME_LENGTH = 254, 200
LONGEST = 1000
ROOM = 10
"""So many times as long as it may be, blanks and all, a name is looked at."""


def email_key(email: str) -> str:
    """The one spelling an address or name is known by: NFKC, casefolded, without white space around it.

    Whatever a stranger types is bounded first, because normalising takes quadratic time, and made such that a database
    can compare it: PostgreSQL refuses NUL and both refuse lone surrogates.
    """
    bounded = email[:LONGEST].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    folded = unicodedata.normalize("NFKC", bounded).casefold()
    return unicodedata.normalize("NFKC", folded).strip()  # folding takes some letters apart again


def require_email(email: str) -> str:
    """The address as people will see it. Raises BadInput when mail could not be sent to it."""
    email = unicodedata.normalize("NFC", email[:LONGEST]).strip()
    local, _, host = email.rpartition("@")
    fits = local and "." in host.strip(".") and "@" not in local and email.isprintable()
    fits = fits and max(len(email), len(email_key(email))) <= EMAIL_LENGTH
    if not fits or any(character in email for character in ' ,;:<>()[]\\"'):
        raise BadInput("This is not an email address.", field="email")
    return email


def require_name(name: str, most: int = NAME_LENGTH) -> str:
    """A name as people will see it. Raises BadInput when it is empty, too long or has control characters."""
    name = " ".join(unicodedata.normalize("NFC", name[: most * ROOM]).split())
    if not name or len(name) > most or not name.isprintable():
        raise BadInput(f"A name has 1 to {most} characters that can be seen.", field="name")
    return name
