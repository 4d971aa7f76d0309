"""The dry run: what would become of every file of a distribution, found out without changing anything.

The same is asked again when it is confirmed, and what was looked at is what is done; whether it still may be is asked
once more for each file when its turn comes.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import Row, select

from portal import filenames
from portal.actors import Actor
from portal.catalog import Rules, get_category, rules_of
from portal.catalog.recipients import GROUP, SHARED, Recipient, Shelf, list_shelves
from portal.errors import CategoryNotFound, PortalError
from portal.extensions import db, settings
from portal.models import Blob, DistributionLine, Upload
from portal.uploads.distributing.directory import look_up, look_up_all
from portal.uploads.distributing.lines import Line
from portal.uploads.distributing.making import get_own, require_manager
from portal.uploads.distributing.matching import Match, match_lines, match_pattern, read_pattern
from portal.uploads.kinds import require_fitting
from portal.uploads.places import Place, Placed, list_placed

Outcome = Literal["added", "versioned", "unchanged", "unmatched", "ambiguous", "refused", "coming"]
OUTCOMES: tuple[Outcome, ...] = ("added", "versioned", "unchanged", "ambiguous", "unmatched", "refused", "coming")
FILED: tuple[Outcome, ...] = ("added", "versioned", "unchanged")
AT_ONCE = 400
NOTHING_SAID = "Nobody has said yet whose it is."
COMING = "It is still on its way."
TWICE = "A file of this name was dropped once more; that one counts."
CLOSED = "The account of {} is closed."
INFECTED = "Something harmful was found in it: {}."


@dataclass(frozen=True)
class Dropped:
    """A file somebody dropped."""

    id: int
    filename: str
    size: int
    sha256: str
    state: str = "arrived"
    reason: str = ""
    finding: str = ""
    """What a virus scanner calls what it found."""
    content_type: str = ""
    """What its first bytes were found to be, where somebody looked."""


@dataclass(frozen=True)
class Planned:
    """What would become of a file; the reason is a sentence, "" where there is nothing to say."""

    file: Dropped
    outcome: Outcome
    reason: str = ""
    recipient: Recipient | None = None
    title: str = ""
    inside: str = ""
    expires_at: datetime | None = None

    @property
    def is_filed(self) -> bool:
        """Whether it goes to somebody, or is with them already."""
        return self.outcome in FILED


@dataclass(frozen=True)
class Plan:
    """What would become of all files, in the order of their names, and the lines that name none of them."""

    files: Sequence[Planned]
    lines_without_file: Sequence[Line]
    lines: int
    """All there are."""

    @cached_property
    def counts(self) -> dict[str, int]:
        """Outcome to how many files; they add up to all of them."""
        return dict(Counter(one.outcome for one in self.files))

    @cached_property
    def recipients(self) -> int:
        """How many people and groups something new is for."""
        return len({one.recipient.key for one in self.files if one.recipient and one.outcome in ("added", "versioned")})

    @cached_property
    def groups(self) -> int:
        """How many of them are groups."""
        new = (one.recipient.key for one in self.files if one.recipient and one.outcome in ("added", "versioned"))
        return len({key for key in new if key.startswith(GROUP)})

    @cached_property
    def filed(self) -> int:
        """How many files go to somebody, or are with them already."""
        return sum(one.is_filed for one in self.files)

    @cached_property
    def seal(self) -> str:
        """What tells this plan from one in which a file is somebody else's, so that what was looked at is done."""
        said = [(one.file.id, *assignment(one).values()) if one.is_filed else (one.file.id,) for one in self.files]
        return hashlib.sha256(json.dumps(sorted(said)).encode()).hexdigest()[:16]

    def list(self, outcome: str = "", start: int = 0, limit: int = 50) -> Sequence[Planned]:
        """Some of the files with this outcome, or of all."""
        found = [one for one in self.files if one.outcome == outcome] if outcome else self.files
        return found[start : start + limit]


def assignment(planned: Planned) -> dict[str, str | None]:
    """What the row of a file keeps of whose it is and what is said of it."""
    return {
        "recipient": planned.recipient.key if planned.recipient else None,
        "title": planned.title,
        "category": planned.inside,
        "expires_at": planned.expires_at.isoformat() if planned.expires_at else None,
        "content_type": planned.file.content_type,
    }


def plan_distribution(actor: Actor | None, distribution_id: int) -> Plan:
    """What would become of the files of a distribution that still takes some: it names people by their references.

    So it needs ``manage`` like everything that is done to one.
    """
    found = get_own(actor, distribution_id)
    require_manager(actor, found.category_id)
    lines = list_lines(distribution_id)
    return plan_files(_dropped(distribution_id), found.category_id, found.pattern, lines)


def plan_files(files: Sequence[Dropped], category_id: int | None, pattern: str, lines: Sequence[Line]) -> Plan:
    """The same of any files, for a place and for what says whose they are; nothing of them needs to be stored."""
    files = sorted(files, key=lambda file: (file.filename.casefold(), file.filename, file.id))
    standing, planned = _standing(files)
    matches = _match([file.filename for file in standing], pattern, lines)
    judge = _Judge.of(category_id)
    judged = [judge.judge(file, match) for file, match in zip(standing, matches, strict=True)]
    planned.update((one.file.id, one) for one in _look_what_is_there(judge, judged))
    named = {match.line.number for match in matches if match.line is not None}
    without = [line for line in lines if line.number not in named]
    return Plan([planned[file.id] for file in files], without, len(lines))


def list_lines(distribution_id: int) -> list[Line]:
    """The lines of the CSV of a distribution."""
    row = DistributionLine
    columns = (row.number, row.filename, row.recipient, row.title, row.category, row.expires_at)
    here = select(*columns).where(row.distribution_id == distribution_id)
    return [Line(*found) for found in db.session.execute(here.order_by(row.number))]


def _dropped(distribution_id: int) -> list[Dropped]:
    kind = Upload.facts["content_type"].as_string().label("kind")
    columns = (Upload.id, Upload.filename, Upload.size, Blob.sha256, Upload.state, Upload.reason, Blob.finding, kind)
    here = (Upload.distribution_id == distribution_id, Upload.state.in_(("receiving", "arrived", "refused")))
    rows = db.session.execute(select(*columns).outerjoin(Blob, Blob.id == Upload.blob_id).where(*here))
    return [_file_of(row) for row in rows]


def _file_of(row: Row[*tuple[Any, ...]]) -> Dropped:
    return Dropped(
        id=row.id,
        filename=row.filename,
        size=row.size,
        sha256=row.sha256 or "",
        state=row.state,
        reason=row.reason,
        finding=row.finding or "",
        content_type=row.kind or "",
    )


def _standing(files: Sequence[Dropped]) -> tuple[list[Dropped], dict[int, Planned]]:
    """The files that have arrived, of several of one name the last; and what is known of the others."""
    last = {file.filename: file.id for file in files if file.state == "arrived"}
    standing: list[Dropped] = []
    others: dict[int, Planned] = {}
    for file in files:
        if file.state == "receiving":
            others[file.id] = Planned(file, "coming", COMING)
        elif file.state == "refused":
            others[file.id] = Planned(file, "refused", file.reason)
        elif last[file.filename] != file.id:
            others[file.id] = Planned(file, "refused", TWICE)
        else:
            standing.append(file)
    return standing, others


def _match(names: Sequence[str], pattern: str, lines: Sequence[Line]) -> list[Match]:
    if pattern:
        read = read_pattern(pattern)
        return match_pattern(names, read, look_up_all(read.place).by(read.place))
    if lines:
        return match_lines(names, lines, look_up(line.recipient for line in lines).by_text)
    return [Match(reason=NOTHING_SAID) for _ in names]


@dataclass(frozen=True)
class _Judge:
    """What is the same for every file: where to, and which categories of people are there."""

    path: str
    rules: Rules
    shelves: dict[str, Shelf] = field(default_factory=dict)
    problem: str = ""
    """Why none can be filed."""

    @classmethod
    def of(cls, category_id: int | None) -> "_Judge":
        try:
            parent = get_category(category_id or 0)
        except CategoryNotFound as gone:
            return cls("", Rules(), problem=gone.sentence)
        return cls(parent.path, rules_of(parent), list_shelves(parent.id))

    def judge(self, file: Dropped, match: Match) -> Planned:
        """Whose it is, and what speaks against it; whether it is there already is asked for many at once."""
        line, recipient = match.line, match.recipient
        said = Planned(file, "added", recipient=recipient)
        if line is not None:
            said = replace(said, title=line.title, inside=line.category, expires_at=line.expires_at)
        if recipient is None:
            return replace(said, outcome="ambiguous" if match.is_ambiguous else "unmatched", reason=match.reason)
        reason = self.problem or self._refusal(file, recipient)
        return replace(said, outcome="refused", reason=reason) if reason else said

    def place(self, planned: Planned) -> Place | None:
        """Where it would go, when the category of its recipient is there."""
        shelf = self.shelves.get(planned.recipient.key) if planned.recipient else None
        if shelf is None:
            return None
        path = f"{shelf.path}/{planned.inside}" if planned.inside else shelf.path
        return path, filenames.clean(planned.file.filename)

    def _refusal(self, file: Dropped, recipient: Recipient) -> str:
        if recipient.is_closed:
            return CLOSED.format(recipient.name)
        if file.finding:
            return INFECTED.format(file.finding)
        shelf = self.shelves.get(recipient.key)
        if shelf is not None and not shelf.is_alone:
            return SHARED.format(shelf.path)
        own = shelf.allowed_types if shelf is not None else None
        rules = Rules(tuple(own.split())) if own is not None else self.rules
        try:
            require_fitting(file.filename, b"", settings().allowed_types)
            rules.require(file.filename)
        except PortalError as problem:
            return problem.sentence
        return ""


def _look_what_is_there(judge: _Judge, judged: Iterable[Planned]) -> list[Planned]:
    """Those that may be filed, told apart: new, a new version, or there already."""
    judged = list(judged)
    places = {one.file.id: place for one in judged if one.outcome == "added" and (place := judge.place(one))}
    wanted = sorted(set(places.values()))
    placed: dict[Place, Placed] = {}
    for start in range(0, len(wanted), AT_ONCE):
        placed.update(list_placed(wanted[start : start + AT_ONCE]))
    return [_seen_there(one, placed.get(places[one.file.id]) if one.file.id in places else None) for one in judged]


def _seen_there(planned: Planned, there: Placed | None) -> Planned:
    if there is None:
        return planned
    return replace(planned, outcome="unchanged" if there.sha256 == planned.file.sha256 else "versioned")
