"""What a provider says of a person, in the values the portal works with. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.errors import ProviderDistrusted

SUBJECT_LENGTH, EMAIL_LENGTH, NAME_LENGTH = 255, 254, 200
SECOND_FACTORS = frozenset({"mfa", "otp", "hwk", "swk", "sc"})
"""Methods (RFC 8176) that say a person showed something they have, beside or instead of a password. A call or a text
message (``tel``, ``sms``) is none of them: whoever takes over a number gets both."""


@dataclass(frozen=True)
class Proof:
    """A person, proved by a provider: ``issuer`` and ``subject`` name them for ever, all else may change."""

    issuer: str
    subject: str
    email: str = ""
    """"" when the provider says none."""
    is_email_verified: bool | None = None
    """None when the provider does not say."""
    name: str = ""
    groups: frozenset[str] = frozenset()
    """The values of the claim for groups; none when it is missing, so that nobody keeps a group by not saying it."""
    is_two_factor: bool = False
    proved_at: int | None = None
    """When the person last signed in at the provider, in seconds since 1970; None when the provider does not say."""

    @property
    def domain(self) -> str:
        """What stands behind the @ of the address, in small letters."""
        return self.email.rpartition("@")[2].lower()


def proof_of(claims: Mapping[str, Any], groups_claim: str = "") -> Proof:
    """The person of checked claims. Raises ProviderDistrusted for a subject that is none; what else is odd counts as
    not said."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LENGTH or not subject.isprintable():
        raise ProviderDistrusted("the subject is missing or none")
    verified = claims.get("email_verified")
    proved_at = claims.get("auth_time")
    return Proof(
        issuer=str(claims.get("iss")),
        subject=subject,
        email=_text(claims.get("email"), EMAIL_LENGTH),
        is_email_verified=None if verified is None else verified is True,
        name=_text(claims.get("name"), NAME_LENGTH) or _text(claims.get("preferred_username"), NAME_LENGTH),
        groups=_texts(claims.get(groups_claim)) if groups_claim else frozenset(),
        is_two_factor=not SECOND_FACTORS.isdisjoint(_texts(claims.get("amr"))),
        proved_at=proved_at if isinstance(proved_at, int) and not isinstance(proved_at, bool) else None,
    )


def _text(value: object, length: int) -> str:
    fits = isinstance(value, str) and len(value) <= length and value.isprintable()
    return value.strip() if fits and isinstance(value, str) else ""


def _texts(value: object) -> frozenset[str]:
    """The texts of a list; a single text is a list of one, as some providers write it."""
    found = value if isinstance(value, list) else [value]
    return frozenset(one for one in found if isinstance(one, str))
