"""Distributions as their makers see them: how far each is, and what became of each of its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, select, true

from portal.actors import Actor
from portal.catalog.recipients import Recipient
from portal.errors import DistributionNotFound
from portal.extensions import db
from portal.models import Category, Distribution, Document, Upload, User, Version
from portal.uploads.distributing.directory import list_recipients
from portal.uploads.distributing.making import get_own

PAGE = 50
OUTCOMES = ("added", "versioned", "unchanged", "refused", "waiting", "cancelled")
WORDS = {
    "added": "new",
    "versioned": "new version",
    "unchanged": "there already",
    "refused": "left out",
    "waiting": "waiting",
    "cancelled": "not filed",
}


@dataclass(frozen=True)
class DistributionRow:
    """One distribution."""

    id: int
    uuid: str
    title: str
    category_path: str
    """"" once its category was removed for good."""
    pattern: str
    wants_notice: bool
    state: str
    """``collecting``, ``running``, ``done`` or ``stopped``."""
    user_id: int | None
    user_name: str
    created_at: datetime
    confirmed_at: datetime | None
    closed_at: datetime | None
    told_at: datetime | None
    counts: dict[str, int]
    """Outcome to how many files, those taken out while it was collected left out; ``waiting`` are still to be done."""

    @property
    def total(self) -> int:
        """All its files."""
        return sum(self.counts.values())

    @property
    def finished(self) -> int:
        """Those of which is known what became of them."""
        return self.total - self.counts.get("waiting", 0)

    @property
    def filed(self) -> int:
        """Those that are with their person."""
        return sum(self.counts.get(name, 0) for name in ("added", "versioned", "unchanged"))

    @property
    def was_given_up(self) -> bool:
        """Whether it was never confirmed."""
        return self.closed_at is not None and self.confirmed_at is None


@dataclass(frozen=True)
class FileRow:
    """One file: whose it was, what became of it, and the document it is."""

    id: int
    filename: str
    size: int
    outcome: str
    reason: str
    recipient: Recipient | None
    document_id: int | None


def get_distribution(actor: Actor | None, ref: int | UUID) -> DistributionRow:
    """A distribution of one's own, by id or uuid; for administrators anybody's. Raises DistributionNotFound."""
    this = Distribution.id == ref if isinstance(ref, int) else Distribution.uuid == ref
    found = db.session.execute(_rows().where(this)).first()
    if found is None:
        raise DistributionNotFound
    get_own(actor, found.Distribution.id)
    return _row(*found, counts=_counts([found.Distribution.id]).get(found.Distribution.id, {}))


def list_distributions(
    actor: Actor, *, after: int | None = None, limit: int = PAGE
) -> tuple[list[DistributionRow], int | None]:
    """The person's own, for administrators everybody's, the newest first, and the id to go on after."""
    statement = _rows()
    if not actor.is_admin:
        statement = statement.where(Distribution.created_by_id == actor.user_id)
    if after is not None:
        statement = statement.where(Distribution.id < after)
    found = db.session.execute(statement.order_by(Distribution.id.desc()).limit(limit + 1)).all()
    counts = _counts([row.Distribution.id for row in found[:limit]])
    rows = [_row(*row, counts=counts.get(row.Distribution.id, {})) for row in found[:limit]]
    return rows, rows[-1].id if len(found) > limit else None


def list_files(
    actor: Actor | None, distribution_id: int, outcome: str = "", *, after: int | None = None, limit: int = PAGE
) -> tuple[list[FileRow], int | None]:
    """Files of a distribution in the order of filing, and the id to go on after."""
    get_own(actor, distribution_id)
    columns = (Upload.id, Upload.filename, Upload.size, _outcome().label("became"), Upload.reason)
    key = Upload.facts["recipient"].as_string().label("key")
    here = (Upload.distribution_id == distribution_id, _counted(), _outcome() == outcome if outcome else true())
    statement = select(*columns, key, Document.id.label("document_id")).where(*here)
    statement = statement.outerjoin(Version, Version.id == Upload.version_id)
    statement = statement.outerjoin(Document, Document.id == Version.document_id)
    statement = statement.join(Distribution, Distribution.id == Upload.distribution_id)
    if after is not None:
        statement = statement.where(Upload.id > after)
    found = db.session.execute(statement.order_by(Upload.id).limit(limit + 1)).all()
    people = list_recipients(row.key for row in found if row.key)
    rows = [
        FileRow(row.id, row.filename, row.size, row.became, row.reason, people.get(row.key or ""), row.document_id)
        for row in found[:limit]
    ]
    return rows, rows[-1].id if len(found) > limit else None


def list_reasons(distribution_id: int) -> list[tuple[str, int]]:
    """Why files were left out, and how many for each reason, the most frequent first."""
    here = (Upload.distribution_id == distribution_id, Upload.state == "refused")
    count = func.count().label("count")
    statement = select(Upload.reason, count).where(*here).group_by(Upload.reason).order_by(count.desc())
    return [(reason, number) for reason, number in db.session.execute(statement.limit(20))]


def _rows() -> Select[Distribution, str | None, str | None]:
    statement = select(Distribution, Category.path, User.name)
    statement = statement.outerjoin(Category, Category.id == Distribution.category_id)
    return statement.outerjoin(User, User.id == Distribution.created_by_id)


def _row(found: Distribution, path: str | None, name: str | None, *, counts: dict[str, int]) -> DistributionRow:
    return DistributionRow(
        id=found.id,
        uuid=str(found.uuid),
        title=found.title,
        category_path=path or "",
        pattern=found.pattern,
        wants_notice=found.wants_notice,
        state=found.state,
        user_id=found.created_by_id,
        user_name=name or "The operator",
        created_at=found.created_at,
        confirmed_at=found.confirmed_at,
        closed_at=found.closed_at,
        told_at=found.told_at,
        counts=counts,
    )


def _counts(ids: Sequence[int]) -> dict[int, dict[str, int]]:
    outcome = _outcome().label("became")
    statement = select(Upload.distribution_id, outcome, func.count()).where(Upload.distribution_id.in_(ids), _counted())
    statement = statement.join(Distribution, Distribution.id == Upload.distribution_id)
    found: dict[int, dict[str, int]] = {}
    for distribution_id, name, count in db.session.execute(statement.group_by(Upload.distribution_id, outcome)):
        found.setdefault(distribution_id or 0, {})[name] = count
    return found


def _outcome() -> ColumnElement[str]:
    """What a file counts as."""
    return case(
        (Upload.state == "done", Upload.outcome),
        (Upload.state.in_(("receiving", "arrived")), "waiting"),
        (Upload.state == "refused", "refused"),
        else_="cancelled",
    )


def _counted() -> ColumnElement[bool]:
    """Not what was taken out before anything was confirmed."""
    taken_out = and_(
        Upload.state.in_(("cancelled", "expired")),
        (Distribution.confirmed_at.is_(None)) | (Upload.closed_at < Distribution.confirmed_at),
    )
    return ~func.coalesce(taken_out, False)
