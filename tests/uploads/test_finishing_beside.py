"""An upload that finishes while somebody changes where it goes: one waits for the other, and never each for the other.

On PostgreSQL, where two write at once. The change begins once the row of the upload is closed, and nothing committed.
"""

import threading
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from portal.actors import Actor
from portal.catalog import get_category, merge_category
from portal.errors import CategoryNotFound
from portal.extensions import db, transaction
from portal.models import MANAGE, Document, Upload, User
from portal.uploads import distributing, requesting, resumable
from portal.uploads.requesting import Terms
from portal.uploads.resumable import Announced, Progress, finishing
from tests import makers
from tests.databases import POSTGRESQL_ONLY
from tests.integrity.stock import wait_for_database_lock
from tests.uploads.sending import begin, publisher, send

pytestmark = POSTGRESQL_ONLY

BODY = b"a few bytes"


@pytest.fixture
def beside(context: Flask, database: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Exception]]:
    """Sends all of an upload, with a change beside its end; what the change ended with."""

    def finish(ada: Actor, upload: Progress, change: Callable[[], object]) -> list[Exception]:
        problems: list[Exception] = []
        close = finishing._close

        def run() -> None:
            with context.app_context():
                try:
                    change()
                except Exception as problem:
                    problems.append(problem)

        thread = threading.Thread(target=run)

        def closing(upload: Progress) -> object:
            facts = close(upload)
            thread.start()
            assert wait_for_database_lock(thread, database)
            return facts

        monkeypatch.setattr(finishing, "_close", closing)
        try:
            send(ada, upload, 0, BODY)
        finally:
            thread.join(30)
            makers.release()
        return problems

    return finish


@pytest.mark.parametrize("folder", ["", "2026/may"], ids=["there", "below"])
def test_a_merger_waits_for_an_upload_that_finishes_and_takes_its_document_along(
    beside: Callable[..., list[Exception]], folder: str
) -> None:
    ada, inbox = publisher()
    into = makers.category("other")
    inbox_id, into_id = inbox.id, into.id
    upload = begin(ada, len(BODY), folder=folder)

    assert beside(ada, upload, lambda: merge_category(None, inbox_id, into_id)) == []

    document = db.session.scalars(select(Document)).one()
    assert get_category(document.category_id).path == "/".join(filter(None, ["other", folder]))
    assert db.session.scalars(select(Upload.state)).one() == "done"


def test_a_distribution_is_dropped_with_the_file_that_came_just_before(beside: Callable[..., list[Exception]]) -> None:
    ada, inbox = publisher()
    makers.grant(inbox, user=db.session.get_one(User, ada.user_id), permission=MANAGE)
    made = distributing.add_distribution(ada, inbox.id, "Payslips")
    made_id, target = made.id, resumable.find_target(ada, "distribution", str(made.uuid), "")
    upload = resumable.start(ada, Announced(target, "a.bin", len(BODY)))

    assert beside(ada, upload, lambda: distributing.drop_distribution(None, made_id)) == []

    assert db.session.scalars(select(Upload.state)).one() == "cancelled"


@pytest.mark.parametrize("is_request", [True, False], ids=["a request", "a distribution"])
def test_what_asks_for_files_in_a_category_that_is_merged_beside_it_is_told_that_it_is_gone(
    context: Flask, database: str, is_request: bool
) -> None:
    one, into = makers.category("one").id, makers.category("into").id
    problems: list[Exception] = []

    def add() -> None:
        with context.app_context():
            try:
                if is_request:
                    requesting.add_request(None, one, Terms("Offers"))
                else:
                    distributing.add_distribution(None, one, "Payslips")
            except Exception as problem:
                problems.append(problem)

    thread = threading.Thread(target=add)
    with transaction():
        merge_category(None, one, into)
        thread.start()
        assert wait_for_database_lock(thread, database)
    thread.join(30)

    assert [type(problem) for problem in problems] == [CategoryNotFound]
