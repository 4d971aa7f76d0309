"""What people write about things: titles and texts, as they are stored."""

import unicodedata

from portal import filenames
from portal.errors import BadInput

TITLE_LENGTH = 300
REFERENCE_LENGTH = 100
TEXT_LENGTH = 10_000


def require_title(title: str) -> str:
    """The title as stored, on one line.

    Raises BadInput when there is nothing to see of it, when it is too long, has control characters or turns the
    direction of reading.
    """
    title = " ".join(title.split())
    if not _fits(title, TITLE_LENGTH) or not filenames.is_seen(title):
        raise BadInput(f"A title has 1 to {TITLE_LENGTH} characters that can be seen.", field="title")
    if filenames.turns(title):
        raise BadInput("A title cannot contain marks that turn the direction of reading.", field="title")
    return _normal(title)


def require_line(text: str, most: int, field: str) -> str:
    """A text on one line as stored, "" for none. Raises BadInput when it is too long or has control characters."""
    text = " ".join(text.split())
    if not _fits(text, most):
        raise BadInput(f"This has at most {most} characters that can be seen.", field=field)
    return _normal(text)


def require_reference(reference: str) -> str:
    """A reference code as stored, "" for none. Raises BadInput like ``require_line``."""
    return require_line(reference, REFERENCE_LENGTH, "reference")


def require_text(text: str, field: str) -> str:
    """A description, note or message as stored, line breaks kept. Raises BadInput when it is too long."""
    text = text.replace("\r\n", "\n").strip()
    if not _fits(text.replace("\n", " ").replace("\t", " "), TEXT_LENGTH):
        raise BadInput(f"A text has at most {TEXT_LENGTH:,} characters that can be seen.", field=field)
    return _normal(text)


def _fits(text: str, most: int) -> bool:
    """Counted before normalising, which takes quadratic time, and after it, for some characters become several."""
    return len(text) <= most and len(_normal(text)) <= most and _is_clean(text)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _is_clean(text: str) -> bool:
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)
