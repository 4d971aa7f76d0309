"""People with references, and distributions with files dropped for them."""

from collections.abc import Mapping
from datetime import UTC

import pytest
from sqlalchemy import select

from portal import uploads
from portal.actors import Actor
from portal.extensions import db
from portal.models import MANAGE, Category, Distribution, Document, Upload, User
from portal.uploads import distributing
from tests import makers

PDF = b"%PDF-1.7\n"


def employee(name: str, reference: str = "") -> User:
    """A person the organisation knows by this reference."""
    user = makers.person(name)
    makers.change(user, reference=reference)
    return user


def manager(on: Category, name: str = "Mia Manager") -> Actor:
    """Somebody who manages a category, and is no administrator."""
    user = makers.person(name)
    makers.grant(on, user=user, permission=MANAGE)
    return makers.actor(user)


@pytest.fixture
def payroll() -> Category:
    """The category that distributions go to."""
    return makers.category("payroll")


@pytest.fixture
def mia(payroll: Category) -> Actor:
    """Who manages it."""
    return manager(payroll)


def drop(actor: Actor | None, distribution_id: int, files: Mapping[str, bytes]) -> list[int]:
    """Drop these files, by name."""
    arrivals = []
    for name, content in files.items():
        incoming = uploads.receive()
        incoming.write(content)
        arrivals.append(uploads.arrive(incoming, name))
    return distributing.add_files(actor, distribution_id, arrivals)


def begin(
    actor: Actor | None, category: Category, files: Mapping[str, bytes], *, pattern: str = "", lines: str = ""
) -> Distribution:
    """A distribution with files, and what says whose they are."""
    made = distributing.add_distribution(actor, category.id, "Payslips March 2027")
    if files:
        drop(actor, made.id, files)
    if pattern:
        distributing.set_pattern(actor, made.id, pattern)
    if lines:
        distributing.set_lines(actor, made.id, lines.encode(), UTC)
    return made


def confirm(actor: Actor | None, distribution_id: int) -> dict[str, int]:
    """Confirm it as it is, file all, and say what became of the files."""
    plan = distributing.plan_distribution(actor, distribution_id)
    distributing.start_distribution(actor, distribution_id, plan.seal)
    distributing.finish(distribution_id)
    makers.release()
    return distributing.get_distribution(actor, distribution_id).counts


def outcomes(actor: Actor | None, distribution_id: int) -> dict[str, str]:
    """File to what would become of it."""
    plan = distributing.plan_distribution(actor, distribution_id)
    return {one.file.filename: one.outcome for one in plan.files}


def reasons(distribution_id: int) -> dict[str, str]:
    """File to why it was left out."""
    rows = db.session.execute(select(Upload.filename, Upload.reason).where(Upload.distribution_id == distribution_id))
    return dict(rows.all())


def shelves(below: Category) -> dict[str, Category]:
    """Name to category, of those directly below."""
    found = db.session.scalars(select(Category).where(Category.parent_id == below.id, Category.trashed_at.is_(None)))
    return {one.name: one for one in found}


def papers(shelf: Category) -> dict[str, Document]:
    """Filename to document, of those directly in a category."""
    return {one.filename: one for one in db.session.scalars(select(Document).where(Document.category_id == shelf.id))}
