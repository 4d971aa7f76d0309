"""Who is known as what lines and names of files say: addresses, references, names of groups."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, select

from portal.accounts import email_key, erased_name
from portal.catalog.recipients import GROUP, Recipient
from portal.extensions import db
from portal.models import PERSON, Group, User

AT_ONCE = 500
Value = TypeVar("Value")
_PEOPLE = select(User.id, User.name, User.email_key, User.reference, User.disabled_at, User.erased_at)


class Directory:
    """Everybody who may be meant, looked up beforehand."""

    def __init__(self) -> None:
        self._by_email: dict[str, Recipient] = {}
        self._by_reference: dict[str, list[Recipient]] = {}
        self._by_name: dict[str, Recipient] = {}

    def by_text(self, text: str) -> Sequence[Recipient]:
        """Who is known as what stands in a line: an address, a reference, or the name of a group."""
        if "@" in text:
            return self.by_email(text)
        group = self._by_name.get(email_key(text))
        return [*self.by_reference(text), *([group] if group else [])]

    def by_email(self, text: str) -> Sequence[Recipient]:
        """Who has this address."""
        found = self._by_email.get(email_key(text)) if "@" in text else None
        return [found] if found else []

    def by_reference(self, text: str) -> Sequence[Recipient]:
        """Who has this reference, whatever its capitals."""
        return self._by_reference.get(text.casefold(), ())

    def by(self, place: str) -> Callable[[str], Sequence[Recipient]]:
        """How what stands at the place of a pattern is looked up."""
        return self.by_email if place == "email" else self.by_reference

    def add_person(self, row: Row[*tuple[Any, ...]]) -> None:
        """Know a person."""
        one = person_of(row)
        self._by_email[row.email_key] = one
        if row.reference:
            known = self._by_reference.setdefault(row.reference.casefold(), [])
            if one not in known:  # some lines may name somebody by address, and others by reference
                known.append(one)

    def add_group(self, group: Group) -> None:
        """Know a group."""
        self._by_name[group.name_key] = Recipient(f"{GROUP}{group.id}", group.name)


def look_up(texts: Iterable[str]) -> Directory:
    """Those who may be meant by what stands in lines."""
    directory = Directory()
    wanted = sorted(set(texts))
    emails = sorted({email_key(text) for text in wanted if "@" in text})
    others = [text for text in wanted if "@" not in text]
    for part in parts_of(emails):
        _add_people(directory, User.email_key.in_(part))
    if others:
        _add_people(directory, User.reference != "")
    for part in parts_of(sorted({email_key(text) for text in others})):
        for group in db.session.scalars(select(Group).where(Group.name_key.in_(part))):
            directory.add_group(group)
    return directory


def look_up_all(place: str) -> Directory:
    """Everybody who has what a pattern asks for."""
    directory = Directory()
    _add_people(directory, User.reference != "" if place == "reference" else User.erased_at.is_(None))
    return directory


def list_recipients(keys: Iterable[str]) -> dict[str, Recipient]:
    """Those with these keys, as they are called now."""
    wanted = set(keys)
    found: dict[str, Recipient] = {}
    for part in parts_of(sorted(int(key[2:]) for key in wanted if key.startswith(PERSON))):
        for row in db.session.execute(_PEOPLE.where(User.id.in_(part))):
            found[f"{PERSON}{row.id}"] = person_of(row)
    for part in parts_of(sorted(int(key[2:]) for key in wanted if key.startswith(GROUP))):
        for group in db.session.scalars(select(Group).where(Group.id.in_(part))):
            found[f"{GROUP}{group.id}"] = Recipient(f"{GROUP}{group.id}", group.name)
    return found


def person_of(row: Row[*tuple[Any, ...]]) -> Recipient:
    """A person as somebody to give files to; of an erased one no name is left."""
    name = row.name if row.erased_at is None else erased_name(row.id)
    return Recipient(f"{PERSON}{row.id}", name, row.reference, is_closed=row.disabled_at is not None)


def _add_people(directory: Directory, which: ColumnElement[bool]) -> None:
    for row in db.session.execute(_PEOPLE.where(which).order_by(User.id)):
        directory.add_person(row)


def parts_of(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """The values, so many at a time as one statement takes."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
