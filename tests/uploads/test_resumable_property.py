"""In whatever pieces bytes are sent, cut, lost and taken up by others: what comes in are those that were sent."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from portal.actors import Actor
from portal.catalog import find_readable
from portal.errors import ChecksumWrong, UploadMisplaced
from portal.extensions import storage
from portal.settings import Settings
from portal.uploads import resumable
from portal.uploads.resumable.finding import get_progress
from tests import makers
from tests.properties import examples
from tests.uploads.sending import Cut, Line, begin, checksum, publisher, send

MOST = 5000


def file_of(upload_id: int) -> Path:
    """The temp file of an upload now."""
    return storage().root / "tmp" / get_progress(upload_id).temp


def machine(app: Flask, ada: Actor) -> type[RuleBasedStateMachine]:
    """The machine on one installation, where ``ada`` may publish; each run of it is one upload."""

    class Sending(RuleBasedStateMachine):
        """A sender, the bytes it has, and how far the server has told it to be."""

        @initialize(seed=st.integers(0, 255), size=st.integers(0, MOST))
        def begin(self, seed: int, size: int) -> None:
            with app.app_context():
                self.body = bytes((seed + number * 7) % 256 for number in range(size))
                self.upload = begin(ada, size, f"{os.urandom(8).hex()}.bin")
                self.offset, self.is_done = 0, False

        @precondition(lambda self: not self.is_done)
        @rule(length=st.integers(0, MOST), is_summed=st.booleans())
        def go_on(self, length: int, is_summed: bool) -> None:
            block = self.body[self.offset :][:length]
            more = {"checksum": checksum(block)} if is_summed else {}
            with app.app_context():
                found = send(ada, self.upload, self.offset, block, **more)
            self.offset += len(block)
            self.is_done = found.is_over
            assert found.is_over == (self.offset == len(self.body))

        @precondition(lambda self: self.offset < len(self.body))
        @rule(length=st.integers(0, MOST), is_summed=st.booleans())
        def be_cut(self, length: int, is_summed: bool) -> None:
            rest = self.body[self.offset :]
            block = rest[: min(length, len(rest) - 1)]
            summed = checksum(rest) if is_summed else None
            with app.app_context(), suppress(Cut):
                resumable.append(ada, self.upload.uuid, self.offset, Line(block).read, checksum=summed)
            self.offset += 0 if is_summed else len(block)

        @precondition(lambda self: not self.is_done)
        @rule(by=st.integers(-MOST, MOST).filter(bool))
        def be_misplaced(self, by: int) -> None:
            with app.app_context(), pytest.raises(UploadMisplaced):
                send(ada, self.upload, self.offset + by, b"")

        @precondition(lambda self: self.offset < len(self.body))
        @rule()
        def be_garbled(self) -> None:
            with app.app_context(), pytest.raises(ChecksumWrong):
                send(ada, self.upload, self.offset, self.body[self.offset :], checksum=checksum(b"other"))

        @rule()
        def be_taken_up_by_another(self) -> None:
            with app.app_context():
                storage().partials._digests.clear()

        @precondition(lambda self: not self.is_done)
        @rule(part=st.floats(0, 1))
        def lose_bytes(self, part: float) -> None:
            with app.app_context():
                file = file_of(self.upload.id)
            self.offset = int(self.offset * part)
            os.truncate(file, self.offset)

        @precondition(lambda self: not self.is_done)
        @rule(junk=st.binary(min_size=1, max_size=100))
        def leave_junk(self, junk: bytes) -> None:
            """As a crash after writing and before the commit does; the row must be as far as the file for that."""
            with app.app_context():
                file = file_of(self.upload.id)
                if resumable.find_own(ada, self.upload.uuid).received == file.stat().st_size:
                    with file.open("ab") as out:
                        out.write(junk)

        @invariant()
        def is_where_it_was_told_to_be(self) -> None:
            with app.app_context():
                found = resumable.find_own(ada, self.upload.uuid)
                assert resumable.offset_of(found) == self.offset
                self.is_done = found.is_over

        def teardown(self) -> None:
            if not hasattr(self, "upload"):
                return
            with app.app_context():
                found = resumable.find_own(ada, self.upload.uuid)
                if not found.is_over:
                    send(ada, self.upload, self.offset, self.body[self.offset :])
                document = resumable.find_own(ada, self.upload.uuid).document
                edition = find_readable(ada, document) if document is not None else None
                assert edition is not None
                with storage().open(edition.sha256, edition.size) as opened:
                    assert opened.handle.read() == self.body

    return Sending


@pytest.mark.timeout(300)
def test_what_comes_in_are_the_bytes_that_were_sent(sqlite_settings: Settings) -> None:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            ada, _ = publisher()
        run_state_machine_as_test(machine(app, ada), settings=examples(8, stateful_step_count=12))
