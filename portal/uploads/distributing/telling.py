"""What people are told of a distribution that is over: one quiet mail each, however many documents they got."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select, update

from portal import notices
from portal.catalog.recipients import GROUP
from portal.extensions import db, run, transaction
from portal.models import Distribution, Document, Membership, Upload, User, Version, db_now
from portal.uploads.distributing.directory import parts_of
from portal.uploads.distributing.making import cancel_open, forget_lines

KIND = "distributed"
SHOWN = 20
"""Documents that are named in a mail."""

Paper = tuple[str, str]
"""The title of a document, and its uuid."""


def tell(distribution_id: int) -> bool:
    """Write the mails of one that is over, all of them or none, once; whether this was the time.

    What was not filed is let go of, and so are its lines, which name people.
    """
    found = db.session.get(Distribution, distribution_id, populate_existing=True)
    if found is None or found.closed_at is None or found.told_at is not None:
        return False
    papers = _papers_of_people(distribution_id) if found.wants_notice else {}
    people = _open_people(papers)
    letters = [(email, _values(papers[user_id])) for user_id, email in people]
    mails = notices.write_mails(KIND, letters)
    untold = (Distribution.id == distribution_id, Distribution.told_at.is_(None))
    with transaction():
        if not run(update(Distribution).where(*untold).values(told_at=db_now())).rowcount:
            return False
        cancel_open(distribution_id)
        forget_lines(distribution_id)
        if mails:
            notices.add_written(mails, [user_id for user_id, _ in people])
    return True


def _papers_of_people(distribution_id: int) -> dict[int, list[Paper]]:
    """Person to what is new for them, by way of their groups too."""
    columns = (Upload.facts["recipient"].as_string(), Document.title, Document.uuid)
    statement = select(*columns).join(Version, Version.id == Upload.version_id)
    statement = statement.join(Document, Document.id == Version.document_id)
    mine = (Upload.distribution_id == distribution_id, Upload.outcome.in_(("added", "versioned")))
    found: dict[int, list[Paper]] = {}
    rows = db.session.execute(statement.where(*mine).order_by(Upload.id)).all()
    members = _members({int(key[2:]) for key, _, _ in rows if key.startswith(GROUP)})
    for key, title, uuid in rows:
        number = int(key[2:])
        for user_id in members[number] if key.startswith(GROUP) else [number]:
            found.setdefault(user_id, []).append((title, str(uuid)))
    return found


def _members(group_ids: set[int]) -> dict[int, list[int]]:
    """Group to the people in it."""
    found: dict[int, list[int]] = {group_id: [] for group_id in group_ids}
    for part in parts_of(sorted(group_ids)):
        rows = select(Membership.group_id, Membership.user_id).where(Membership.group_id.in_(part))
        for group_id, user_id in db.session.execute(rows):
            found[group_id].append(user_id)
    return found


def _open_people(user_ids: Iterable[int]) -> list[tuple[int, str]]:
    """Id and address of those whose account is open."""
    able = select(User.id, User.email).where(User.disabled_at.is_(None), User.erased_at.is_(None)).order_by(User.id)
    return [
        (row.id, row.email)
        for part in parts_of(sorted(user_ids))
        for row in db.session.execute(able.where(User.id.in_(part)))
    ]


def _values(papers: list[Paper]) -> dict[str, Any]:
    shown = papers[:SHOWN]
    return {
        "documents": [title for title, _ in shown],
        "refs": [uuid for _, uuid in shown],
        "has_more": len(papers) > SHOWN,
    }
