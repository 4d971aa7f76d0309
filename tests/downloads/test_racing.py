"""Many who fetch the same document at once under one name: each gets it, whoever begins or completes meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select

from portal.downloads import claim_of, open_for_download
from portal.downloads import sending as module
from portal.extensions import db
from portal.models import Download
from portal.ranges import Span
from tests import makers

pytestmark = pytest.mark.usefixtures("context")

SIZE, THREADS, TURNS = 300, 8, 12


def test_nobody_is_refused_because_others_begin_and_complete(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 100)
    monkeypatch.setattr(module, "AT_ONCE", 100)
    edition = makers.edition(makers.document(makers.category(), "large.bin", b"x" * SIZE))
    actor = makers.actor(makers.person())
    makers.release()
    barrier = Barrier(THREADS)

    def fetch() -> int:
        barrier.wait(30)
        got = 0
        for _ in range(TURNS):
            with context.app_context():
                sending = open_for_download(claim_of(actor, "tests"), edition, [Span(0, SIZE)])
            while (block := sending.next_block()) is not None:
                got += len(block[1])
            sending.close()
        return got

    with ThreadPoolExecutor(THREADS) as pool:
        got = [future.result() for future in [pool.submit(fetch) for _ in range(THREADS)]]

    assert got == [SIZE * TURNS] * THREADS
    assert {row.state for row in db.session.scalars(select(Download))} == {"completed"}
