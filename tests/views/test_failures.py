"""What the pages of errors make of what went wrong beneath them."""

import pytest
from flask import Flask
from sqlalchemy import delete

from portal.catalog import get_category
from portal.extensions import db, transaction
from portal.models import Category
from portal.settings import Settings
from portal.views.admin import branches
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.views.desk import Desk


@SQLITE_ONLY
def test_what_somebody_else_removes_while_its_page_is_made_is_not_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with makers.running(settings) as app:
        with app.app_context():
            desk, gone = Desk(app, makers.person(is_admin=True)), makers.category("gone").id
        monkeypatch.setattr(branches, "managed_category", lambda _: vanishing(app, gone))

        assert desk.client.get(f"/admin/categories/{gone}/move").status_code == 404


def vanishing(app: Flask, category_id: int) -> Category:
    """A category that is removed by somebody else right after it was found."""
    found = get_category(category_id)
    with app.app_context(), transaction() as session:
        session.execute(delete(Category).where(Category.id == category_id))
    db.session.expire_all()
    db.session.rollback()
    return found
