"""Refs: how an address names a record. They name; they open nothing."""

import re
import uuid as uuids

ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
LARGEST = 2**31 - 1

Ref = int | uuids.UUID


def parse_ref(text: str) -> Ref | None:
    """An id or a uuid in its canonical spelling, else None: exactly one address for one record."""
    number = parse_id(text)
    if number is not None:
        return number
    return uuids.UUID(text) if UUID.fullmatch(text) else None


def parse_id(text: str) -> int | None:
    """A whole number above zero in plain ASCII digits that fits a column; ``int`` alone takes much more."""
    if not ID.fullmatch(text):
        return None
    number = int(text)
    return number if number <= LARGEST else None
