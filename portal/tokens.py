"""Secrets handed out: 256 random bits, told apart by purpose, stored only as a hash."""

import hashlib
import re
import secrets

SHAPE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
WITHIN = re.compile(rf"(?<![A-Za-z0-9_-]){SHAPE.pattern}(?![A-Za-z0-9_-])", re.ASCII)
"""A token wherever it stands in a text."""


def make_token() -> str:
    """A new secret of 256 bits, 43 characters of base64url."""
    return secrets.token_urlsafe(32)


def token_hash(purpose: str, token: str) -> bytes:
    """What is stored. The purpose is hashed in, so that no token is ever good for anything else."""
    return hashlib.sha256(purpose.encode() + b"-v1\0" + token.encode("utf-8", "replace")).digest()


def is_token(text: str) -> bool:
    """Whether the text has the shape of a token at all; anything else needs no look-up."""
    return SHAPE.fullmatch(text) is not None


def mask(text: str) -> str:
    """The first six characters, for logs."""
    return text[:6] + "…"


def mask_all(text: str) -> str:
    """The text with everything in it that has the shape of a token cut to its first six characters."""
    return WITHIN.sub(lambda found: mask(found[0]), text)
