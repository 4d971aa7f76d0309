"""What the tests of previews share."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from portal import previews
from portal.extensions import db
from portal.models import Document, Preview
from tests import makers

RowOf = Callable[[Document], Preview]


@pytest.fixture
def row_of(context: Flask) -> RowOf:
    """The row of the current version of a document, as it is now."""

    def find(document: Document) -> Preview:
        makers.release()
        statement = select(Preview).where(Preview.sha256 == makers.edition(document).sha256)
        return db.session.scalars(statement.execution_options(populate_existing=True)).one()

    return find


@pytest.fixture
def work(context: Flask) -> Callable[[], None]:
    """Make all that waits, in one turn of the worker however long it takes."""

    def run() -> None:
        makers.release()
        previews.take_turn(lambda: False)

    return run
