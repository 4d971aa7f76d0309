"""Members of a zip whose rows stand in an unusual way when they are reached."""

from uuid import uuid4

import pytest
from sqlalchemy import insert, select, update

from portal.actors import Actor
from portal.catalog import Edition
from portal.downloads import claim_of, open_for_download, open_for_zip, pack_category
from portal.downloads.ledger import MOST_INTERVALS
from portal.downloads.sending import Sending
from portal.downloads.zipping import ZipSending
from portal.extensions import db, transaction
from portal.models import Category, Download, Transfer, db_later
from portal.ranges import Span
from tests import makers

SIZE = 3 * 1024 * 1024

pytestmark = pytest.mark.usefixtures("context")


def shelved() -> tuple[Category, Actor, Edition]:
    shelf, reader = makers.category("shelf"), makers.person()
    makers.grant(shelf, user=reader)
    edition = makers.edition(makers.document(shelf, "large.bin", b"x" * SIZE))
    return shelf, makers.actor(reader), edition


def send_all(sending: Sending | ZipSending) -> None:
    while sending.next_block() is not None:
        pass
    sending.close()
    makers.release()


def test_a_zip_goes_on_with_the_older_row_that_a_broken_line_opened_again() -> None:
    shelf, reader, edition = shelved()
    claim = claim_of(reader, "tests")
    first, count = open_for_download(claim, edition, [Span(0, SIZE)]), 0
    while count < SIZE and (got := first.next_block()) is not None:
        count += len(got[1])
    send_all(open_for_download(claim, edition, [Span(0, SIZE)]))
    first.close()  # its last block was refused
    with transaction() as session:
        session.execute(update(Download).where(Download.closed_at.is_not(None)).values(closed_at=db_later(-1200)))
    makers.release()

    archive = pack_category(reader, shelf)
    send_all(open_for_zip(claim, archive, [Span(0, archive.layout.size)]))

    assert set(db.session.scalars(select(Download.state))) == {"completed"}
    assert not db.session.scalars(select(Download.id).where(Download.closed_at.is_(None))).all()


def test_the_end_of_a_member_is_counted_also_when_its_row_holds_too_many_pieces() -> None:
    shelf, reader, edition = shelved()
    claim = claim_of(reader, "tests")
    pieces = [[at * 20, at * 20 + 10] for at in range(MOST_INTERVALS + 44)]
    row = {"uuid": uuid4(), "actor_key": claim.key, "user_id": reader.user_id, "network": "", "agent": ""}
    row |= {"document_id": edition.document_id, "version_id": edition.version_id, "state": "started"}
    with transaction() as session:
        session.execute(insert(Download).values(**row, intervals=pieces, bytes_sent=3000))
    makers.release()

    archive = pack_category(reader, shelf)
    stop = archive.layout.extent(0).stop
    send_all(open_for_zip(claim, archive, [Span(stop - 50_000, archive.layout.size)]))

    found = db.session.scalars(select(Download)).one()
    assert (found.bytes_sent, found.intervals[-1]) == (53_000, [SIZE - 50_000, SIZE])
    assert not db.session.scalars(select(Transfer.id)).all()
