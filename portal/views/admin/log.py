"""The log: who did what, one sentence for each event."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import groupby

from flask import Blueprint, Response, request, stream_with_context

from portal import accounts, audit
from portal.catalog import parse_id
from portal.cells import BYTE_ORDER_MARK, cell
from portal.models import User
from portal.views import forms
from portal.views.admin import house
from portal.views.admin.sentences import HISTORIES, sentence
from portal.views.admin.wording import CHOICES, GROUPS, actions_of
from portal.views.clock import from_local, local
from portal.views.guard import allow, person

bp = Blueprint("log", __name__, url_prefix="/admin")

NOBODY = 0
"""The id nobody has: what the log is narrowed to while nobody, or not yet one person, is chosen."""
OFFERED = 12
"""Of more people than this who are called alike, the first are offered."""
QUERY_LENGTH = 200
PARTS = ("", "by", "to")
"""The part a person had in an event, as the choice of the page has it: any, they did it, it was done to them."""
EXPORTED_AT_ONCE = 500
COLUMNS = ("id", "at", "action", "sentence", "by", "name", "whom", "thing", "label", "network", "details")
NARROWING = ("action", "email", "person", "part", "thing", "from", "to")


@dataclass(frozen=True)
class Wanted:
    """What the address narrows the log to."""

    actions: list[str]
    sought: str
    people: list[User]
    user_id: int | None
    part: str
    thing: tuple[str, int] | None
    since: datetime | None
    until: datetime | None
    query: dict[str, str] = field(default_factory=dict)

    def events(self, after: int | None, limit: int = audit.PAGE) -> tuple[list[audit.EventRow], int | None]:
        """A page of the log, with the id to go on after."""
        return audit.list_events(
            actions=self.actions,
            about_id=self._in_part(""),
            user_id=self._in_part("by"),
            whom_id=self._in_part("to"),
            thing=self.thing,
            since=self.since,
            until=self.until,
            after=after,
            limit=limit,
        )

    def _in_part(self, part: str) -> int | None:
        return self.user_id if self.part == part else None


@bp.get("/log")
@allow("administrator")
def show() -> Response:
    """Events, narrowed by ``?action=`` (one, or a group of them), ``?thing=KIND-ID``, ``?from=`` and ``?to=`` (days).

    ``?email=`` is a part of the name or address of a person, ``?person=`` their id, and ``?part=`` the part they had;
    of several who are called so, one is to be chosen.
    """
    wanted = _wanted()
    rows, after = wanted.events(forms.query_id("after"))
    return house.show(
        "admin/log.html",
        days=[(day, list(events)) for day, events in groupby(rows, key=lambda row: local(row.event.at).date())],
        after=after,
        groups={name: (words, actions_of(name)) for name, (words, _) in GROUPS.items()},
        choices=CHOICES,
        wanted=wanted,
        people=wanted.people[:OFFERED] if wanted.user_id == NOBODY else [],
        has_more_people=len(wanted.people) > OFFERED,
        chosen=_name(wanted),
        sentence=sentence,
    )


@bp.get("/log.csv")
@allow("administrator", fresh=True, page="log.show")
def export() -> Response:
    """The same events as a CSV: all of them, not only a page."""
    pages = audit.export_events(person(), partial(_wanted().events, limit=EXPORTED_AT_ONCE))
    headers = {"Content-Disposition": 'attachment; filename="log.csv"'}
    return Response(stream_with_context(_lines(pages)), mimetype="text/csv", headers=headers)


def _lines(pages: Iterable[list[audit.EventRow]]) -> Iterator[str]:
    yield BYTE_ORDER_MARK + ",".join(COLUMNS) + "\r\n"
    for rows in pages:
        yield "".join(_line(row) for row in rows)


def _line(row: audit.EventRow) -> str:
    event = row.event
    who, whom = (one.name or "" if one is not None else "" for one in (row.who, row.whom))
    thing = f"{event.object_type}-{event.object_id}" if event.object_type else ""
    at = event.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    said = str(event.id), at, event.action, sentence(row).striptags(), event.actor_kind, who, whom
    details = json.dumps(event.details, ensure_ascii=False, sort_keys=True)
    return ",".join(cell(text) for text in (*said, thing, event.object_label, event.network, details)) + "\r\n"


def _wanted() -> Wanted:
    asked = request.args
    sought = asked.get("email", "")[:QUERY_LENGTH].strip()
    people = _called(sought)
    until = _day("to")
    return Wanted(
        actions=_actions(asked.get("action", "")),
        sought=sought,
        people=people,
        user_id=_user_id(sought, people),
        part=asked.get("part", "") if asked.get("part", "") in PARTS else "",
        thing=_thing(asked.get("thing", "")),
        since=_midnight(_day("from")),
        until=_midnight(until + timedelta(days=1) if until is not None and until < date.max else None),
        query={name: value for name, value in asked.items() if name in NARROWING and value},
    )


def _actions(value: str) -> list[str]:
    if value in GROUPS:
        return actions_of(value)
    return [value] if value else []


def _called(sought: str) -> list[User]:
    """Who is called so; who has this very address alone."""
    if not sought:
        return []
    exact = accounts.find_user(sought)
    return [exact] if exact is not None else accounts.list_people(sought, limit=OFFERED + 1, with_erased=True).people


def _user_id(sought: str, people: list[User]) -> int | None:
    if not sought:
        return forms.query_id("person")
    return people[0].id if len(people) == 1 else NOBODY


def _name(wanted: Wanted) -> str:
    """Of the person the log is narrowed to, where the address has only an id; "" for nobody."""
    if wanted.sought or wanted.user_id is None:
        return ""
    found = audit.find_named(wanted.user_id)
    return (found.name if found is not None else None) or ""


def _thing(text: str) -> tuple[str, int] | None:
    """``document-7``; None for anything else."""
    kind, _, number = text.rpartition("-")
    found = parse_id(number)
    return (kind, found) if kind in HISTORIES and found is not None else None


def _day(name: str) -> date | None:
    """A day of the address; None for anything else."""
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def _midnight(day: date | None) -> datetime | None:
    """The moment a day begins where the person is; None where no calendar has it."""
    try:
        return from_local(datetime.combine(day, time())) if day is not None else None
    except OverflowError:
        return None
