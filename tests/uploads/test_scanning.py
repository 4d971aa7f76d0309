"""What comes in is looked at for viruses by a real clamd: held until then, quarantined where one is found."""

import dataclasses
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from portal.catalog import Item, list_infected, put_documents, scans, trash_document
from portal.catalog.quarantine import held_documents
from portal.downloads import Claim, open_bytes, open_for_zip, pack_category, pack_documents
from portal.errors import ContentHeld, ContentQuarantined, ContentUnavailable, ScannerRefused, ScannerUnavailable
from portal.extensions import db, transaction
from portal.models import PUBLISH, AuditEvent, Blob, Document, Mail, User
from portal.ranges import Span
from portal.settings import Settings
from portal.uploads import arrive, clamd, receive, scan, scan_all, scan_waiting, store_documents
from portal.uploads.clamd import Scanner, scanner_at, verdict_of
from portal.uploads.scanning import AGAIN_SECONDS
from tests import makers
from tests.damages import path_of
from tests.databases import SQLITE_ONLY
from tests.plans import asking, plan
from tests.scanners import EICAR, NAME, Clamd, free_port, require_clamd, zipped

CLEAN = b"Nothing to be found in here.\n"


@pytest.fixture(scope="module")
def scanner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    """One for all tests that do not stop it."""
    require_clamd()
    made = Clamd(tmp_path_factory.mktemp("clamd")).start()
    yield made
    made.remove()


@contextmanager
def served_by(settings: Settings, address: str) -> Iterator[Flask]:
    with makers.core(dataclasses.replace(settings, clamd=address)) as app:
        yield app


@pytest.fixture
def house(settings: Settings, scanner: Clamd) -> Iterator[Flask]:
    """A portal with that scanner."""
    with served_by(settings, scanner.address) as app:
        yield app


@pytest.fixture
def pam(house: Flask) -> User:
    """A publisher."""
    return publisher()


def publisher(name: str = "Pam") -> User:
    made = makers.person(name, password=makers.PASSWORD)
    makers.grant(makers.category("reports"), user=made, permission=PUBLISH)
    return made


def store(by: User | None, content: bytes, filename: str = "a.bin") -> Document:
    """Put it in by the form."""
    incoming = receive()
    incoming.write(content)
    arrival = arrive(incoming, filename)
    (outcome,) = store_documents(makers.actor(by) if by else None, makers.category("reports").id, [arrival])
    makers.release()
    return db.session.get_one(Document, outcome.document_id)


def read(document: Document) -> bytes:
    """What a reader would get."""
    with open_bytes(makers.edition(document)) as opened:
        return opened.handle.read()


def states() -> list[tuple[str | None, str | None]]:
    makers.release()
    return [
        (state, finding)
        for state, finding in db.session.execute(select(Blob.scan_state, Blob.finding).order_by(Blob.id))
    ]


def mails() -> list[str]:
    makers.release()
    return sorted(db.session.scalars(select(Mail.email).where(Mail.kind == "virus_found")))


def events(action: str) -> list[AuditEvent]:
    makers.release()
    return list(db.session.scalars(select(AuditEvent).where(AuditEvent.action == action)))


def test_nobody_gets_what_was_not_looked_at_and_everybody_what_is_clean(pam: User) -> None:
    document = store(pam, CLEAN)
    with pytest.raises(ContentHeld):
        read(document)

    assert (scan().scanned, states()) == (1, [("clean", None)])
    assert read(document) == CLEAN


@pytest.mark.parametrize("content", [EICAR, zipped()], ids=["as it is", "inside a zip"])
def test_what_has_a_virus_is_quarantined_and_those_concerned_are_told_once(pam: User, content: bytes) -> None:
    makers.person("Ada", is_admin=True, password=makers.PASSWORD)
    makers.person("Bob", password=makers.PASSWORD)
    document = store(pam, content, "invoice.bin")

    assert scan().infected == 1
    assert scan().scanned == 0
    assert states() == [("infected", NAME)]
    with pytest.raises(ContentQuarantined):
        read(document)
    assert mails() == ["ada@example.org", "pam@example.org"]
    (event,) = events("blob.infected")
    assert (event.object_type, event.object_id, event.details["finding"]) == ("document", document.id, NAME)
    letter = db.session.scalars(select(func.coalesce(Mail.text, "")).where(Mail.email == "pam@example.org")).one()
    assert f"/documents/{document.uuid}" in letter
    assert NAME in letter


def test_nobody_hears_of_documents_of_others_with_the_same_bytes(pam: User) -> None:
    eve = publisher("Eve")
    store(pam, EICAR, "payroll of 2026.bin")
    store(eve, EICAR, "minutes.bin")
    scan()

    letter = db.session.scalars(select(func.coalesce(Mail.text, "")).where(Mail.email == "eve@example.org")).one()
    assert "minutes" in letter
    assert "payroll" not in letter


@SQLITE_ONLY
def test_a_letter_names_some_of_many_documents_and_says_that_there_are_more(pam: User) -> None:
    for number in range(scans.NAMED + 2):
        store(pam, EICAR, f"copy {number}.bin")
    scan()

    letter = db.session.scalars(select(func.coalesce(Mail.text, "")).where(Mail.email == "pam@example.org")).one()
    assert letter.count("version 1") == scans.NAMED
    assert "- and more" in letter


def test_many_at_once_by_an_operator_wait_as_well(house: Flask) -> None:
    shelf = makers.category("reports").id
    put_documents(None, [Item(shelf, f"{number}.bin", makers.content_of(bytes([number]))) for number in range(3)])

    assert states() == [("waiting", None)] * 3


def test_the_same_bytes_once_more_are_what_they_are_known_to_be(pam: User) -> None:
    store(pam, CLEAN)
    store(pam, EICAR, "b.bin")
    scan()

    store(pam, CLEAN, "again.bin")
    with pytest.raises(ContentQuarantined):
        read(store(pam, EICAR, "b again.bin"))
    assert states() == [("clean", None), ("infected", NAME)]


def test_what_was_there_before_the_scanner_is_given_out_and_waits_when_it_comes_in_once_more(
    settings: Settings, scanner: Clamd
) -> None:
    with makers.core(settings):
        document_id = makers.document(makers.category("reports"), "a.bin", CLEAN).id
    with served_by(settings, scanner.address):
        assert (read(db.session.get_one(Document, document_id)), states()) == (CLEAN, [(None, None)])
        store(None, CLEAN, "b.bin")
        assert states() == [("waiting", None)]


def test_everything_is_looked_at_when_it_is_asked_for_and_given_out_meanwhile(
    settings: Settings, scanner: Clamd
) -> None:
    with makers.core(settings):
        ids = [
            makers.document(makers.category("reports"), name, what).id for name, what in (("a", CLEAN), ("b", EICAR))
        ]
    told: list[tuple[int, int]] = []
    with served_by(settings, scanner.address):
        sound, bad = (db.session.get_one(Document, one) for one in ids)
        assert (read(sound), read(bad)) == (CLEAN, EICAR)
        report = scan_all(lambda done, total: told.append((done, total)))

        assert dataclasses.astuple(report) == (2, 1, 0)
        assert states() == [("clean", None), ("infected", NAME)]
        assert told[-1] == (len(CLEAN) + len(EICAR),) * 2
        with pytest.raises(ContentQuarantined):
            read(bad)


def test_a_scanner_that_is_away_holds_what_came_in_and_loses_nothing(settings: Settings, tmp_path: Path) -> None:
    require_clamd()
    away = Clamd(tmp_path)
    with served_by(settings, away.address):
        document, bad = store(None, CLEAN), store(None, EICAR, "b.bin")
        with pytest.raises(ScannerUnavailable):
            scan()
        scan_waiting(lambda: False)
        assert states() == [("waiting", None)] * 2
        with pytest.raises(ContentHeld):
            read(document)
        try:
            away.start()
            scan_waiting(lambda: False)
            assert read(document) == CLEAN
            with pytest.raises(ContentQuarantined):
                read(bad)
            away.stop()
            with pytest.raises(ScannerUnavailable):
                scan_all(lambda _done, _total: None)
            assert states() == [("clean", None), ("infected", NAME)]
        finally:
            away.remove()


@SQLITE_ONLY
def test_a_scanner_is_reached_by_its_socket_too(settings: Settings, tmp_path: Path) -> None:
    require_clamd()
    beside = Clamd(tmp_path, is_unix=True).start()
    try:
        with served_by(settings, beside.address):
            store(None, EICAR)
            assert scan().infected == 1
    finally:
        beside.remove()


def test_what_is_too_large_for_the_scanner_stays_held_until_somebody_releases_it(
    settings: Settings, tmp_path: Path
) -> None:
    require_clamd()
    small = Clamd(tmp_path, largest="100K").start()
    try:
        with served_by(settings, small.address):
            large, bad = store(None, b"x" * 3_000_000), store(None, EICAR, "b.bin")
            assert dataclasses.astuple(scan()) == (1, 1, 1)
            with pytest.raises(ContentHeld):
                read(large)
            with pytest.raises(ContentQuarantined):
                read(bad)
            assert scan().refused == 0, "not before an hour is over"
            blob = db.session.scalars(select(Blob).order_by(Blob.id).limit(1)).one()
            makers.change(blob, scanned_at=makers.now(seconds=-AGAIN_SECONDS - 1))
            assert scan().refused == 1
            scans.release(None, blob.id)
            assert len(read(large)) == 3_000_000
    finally:
        small.remove()


@SQLITE_ONLY
def test_damaged_bytes_are_judged_by_nobody(house: Flask) -> None:
    document = store(None, CLEAN)
    path_of(document).write_bytes(b"x" * len(CLEAN))

    assert scan().scanned == 0
    assert states() == [("waiting", None)]
    with pytest.raises(ContentUnavailable):
        read(document)
    assert [event.details["damage"] for event in events("blob.damaged")] == ["bytes"]


def test_several_who_look_at_once_tell_once(pam: User, house: Flask) -> None:
    store(pam, EICAR)
    everything = partial(scan_all, lambda _done, _total: None)

    ended = makers.at_once(house, scan, scan, everything, everything)
    assert [type(end).__name__ for end in ended] == ["ScanReport"] * 4
    scan()
    assert (mails(), len(events("blob.infected"))) == (["pam@example.org"], 1)


def test_an_administrator_who_knows_better_releases_it_and_the_log_says_what_was_found(pam: User) -> None:
    ada = makers.person("Ada", is_admin=True, password=makers.PASSWORD)
    document = store(pam, EICAR)
    scan()
    blob_id = db.session.scalars(select(Blob.id)).one()
    scans.release(makers.actor(ada), blob_id)

    assert read(document) == EICAR
    (event,) = events("blob.released")
    assert (event.object_id, event.details["finding"]) == (document.id, NAME)


@SQLITE_ONLY
def test_without_a_scanner_nothing_waits_and_what_waited_is_let_go(settings: Settings) -> None:
    with served_by(settings, f"127.0.0.1:{free_port()}"):
        waiting = store(None, CLEAN)
        document_id = waiting.id
        with pytest.raises(ContentHeld):
            read(waiting)
    with makers.core(settings):
        assert read(store(None, b"new", "b.bin")) == b"new"
        scan_waiting(lambda: False)
        assert read(db.session.get_one(Document, document_id)) == CLEAN
        assert [event.details["count"] for event in events("scan.ended")] == [1]
        with asking(db.engine) as asked:
            scan_waiting(lambda: False)
        assert not [statement for statement, _ in asked if statement.startswith("UPDATE")]
    with served_by(settings, f"127.0.0.1:{free_port()}"):
        store(None, CLEAN, "once more.bin")
        looked_at = select(Blob.scanned_at).where(Blob.scan_state == "waiting")
        assert db.session.scalars(looked_at).all() == [None], "it is looked at next"


@SQLITE_ONLY
def test_a_zip_of_chosen_documents_is_refused_as_a_whole_and_names_what_is_held(pam: User) -> None:
    who, clean = makers.actor(pam), store(pam, CLEAN, "clean.bin")
    scan()
    held = store(pam, b"another", "held.bin")

    with pytest.raises(ContentHeld, match="“held” is looked at for viruses"):
        pack_documents(who, "x", [clean.id, held.id])
    bad = store(pam, EICAR, "bad.bin")
    scan()
    with pytest.raises(ContentQuarantined, match="A virus was found in “bad”"):
        pack_documents(who, "x", [held.id, bad.id])
    assert len(pack_documents(who, "x", [clean.id, held.id]).version_ids) == 2


def test_a_zip_of_a_category_has_what_is_given_out_and_another_validator_once_more_is(pam: User) -> None:
    who, shelf = makers.actor(pam), makers.category("reports")
    store(pam, CLEAN, "clean.bin")
    scan()
    store(pam, b"another", "held.bin")
    bad = store(pam, EICAR, "bad.bin")

    before = pack_category(who, shelf)
    scan()
    after = pack_category(who, shelf)
    trash_document(None, bad.id)
    whole = pack_category(who, shelf)
    assert [len(one.version_ids) for one in (before, after, whole)] == [1, 2, 2]
    assert len({one.etag for one in (before, after, whole)}) == 3
    assert pack_category(who, shelf).etag == whole.etag


@SQLITE_ONLY
def test_a_zip_of_a_category_of_which_nothing_is_given_out_is_refused(pam: User) -> None:
    who, shelf = makers.actor(pam), makers.category("reports")
    store(pam, b"another", "held.bin")
    with pytest.raises(ContentHeld, match="“held” is looked at for viruses"):
        pack_category(who, shelf)


@SQLITE_ONLY
def test_a_member_that_is_quarantined_while_the_zip_is_sent_ends_it(pam: User) -> None:
    document = store(pam, EICAR)
    with transaction() as session:
        session.execute(update(Blob).values(scan_state=None))
    archive = pack_documents(makers.actor(pam), "x", [document.id])
    scan_all(lambda _done, _total: None)

    sending = open_for_zip(Claim(key=f"u:{pam.id}", user_id=pam.id), archive, [Span(0, archive.layout.size)])
    try:
        with pytest.raises(ContentQuarantined):
            list(iter(sending.next_block, None))
    finally:
        sending.close()


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("ask", "index"),
    [(scan, "ix_blobs_scan_waiting"), (list_infected, "ix_blobs_infected")],
    ids=["waiting", "infected"],
)
def test_the_few_rows_are_found_by_their_own_index(house: Flask, ask: Callable[[], object], index: str) -> None:
    with asking(db.engine) as asked:
        ask()
        assert index in plan(asked)


@SQLITE_ONLY
def test_what_is_held_is_found_without_going_through_all_documents(pam: User) -> None:
    document = store(pam, CLEAN)
    with asking(db.engine) as asked:
        assert list(held_documents()) == [[document.id]]
    how = plan(asked)
    assert [index for index in ("ix_blobs_scan_waiting", "ix_blobs_infected") if index not in how] == []
    assert "SCAN documents" not in how


# What a scanner may say or not say, by one that is none.


@contextmanager
def saying(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of something that takes whatever comes and then answers like that; pings are answered well."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, answer), daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def _serve(server: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            line, _ = server.accept()
        except OSError:
            return
        with line:
            came = line.recv(4096)
            if came.startswith(b"zPING"):
                line.sendall(b"PONG\0")
                continue
            while came and not came.endswith(b"\0\0\0\0"):
                came = line.recv(1_000_000)
            answer(line)


def test_the_worker_looks_for_a_moment_and_is_woken_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[str] = []
    monkeypatch.setattr("portal.jobs.wake", woken.append)
    monkeypatch.setattr("portal.uploads.scanning.SLICE_SECONDS", -1)
    with saying(lambda line: line.sendall(b"stream: OK\0")) as address, served_by(settings, address):
        for number in range(3):
            store(None, bytes([number]), f"{number}.bin")
        woken.clear()
        scan_waiting(lambda: False)
        assert [state for state, _ in states()] == ["clean", "waiting", "waiting"]
        assert woken[:1] == [scans.LOOK]
        scan()
        assert {state for state, _ in states()} == {"clean"}, "asked for by hand, all is looked at"


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (b"", ScannerUnavailable),
        (b"stream: OK", ScannerUnavailable),  # without the zero byte that ends it
        (b"stream: MAYBE\0", ScannerUnavailable),
        (b"\xff\xfe\0", ScannerUnavailable),
        (b"x" * 10_000, ScannerUnavailable),
        (b"INSTREAM size limit exceeded. ERROR\0", ScannerRefused),
        (b"stream: Can't open file or directory ERROR\0", ScannerRefused),
    ],
    ids=["nothing", "cut", "another word", "no text", "endless", "too large", "an error"],
)
def test_what_no_scanner_says_is_no_verdict(said: bytes, problem: type[Exception]) -> None:
    with saying(lambda line: line.sendall(said)) as address, scanner_at(address).stream() as stream:
        stream.send(CLEAN)
        with pytest.raises(problem):
            stream.finish()


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        ("stream: OK", None),
        ("stream: Win.Test.EICAR_HDB-1 FOUND", "Win.Test.EICAR_HDB-1"),
        ("stream: OK FOUND", "OK"),
        ("stream:  FOUND", "something without a name"),
        ("stream: \u202e\x1b[31mevil FOUND", "[31mevil"),
        (f"stream: {'x' * 300} FOUND", "x" * 200),
    ],
)
def test_what_was_found_is_named_in_characters_that_can_be_seen(said: str, finding: str | None) -> None:
    assert verdict_of(said) == finding


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:3310", Scanner(host="127.0.0.1", port=3310)),
        ("[::1]:3310", Scanner(host="::1", port=3310)),
        ("scanner.example.org:1", Scanner(host="scanner.example.org", port=1)),
        ("unix:/run/clamav/clamd.ctl", Scanner(path="/run/clamav/clamd.ctl")),
    ],
)
def test_a_scanner_is_named_by_port_or_by_path(address: str, expected: Scanner) -> None:
    assert scanner_at(address) == expected


@SQLITE_ONLY
def test_one_file_the_scanner_never_answers_for_does_not_keep_others_waiting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clamd, "SILENT_SECONDS", 0.2)
    is_first = threading.Event()

    def answer(line: socket.socket) -> None:
        if not is_first.is_set():
            is_first.set()
            line.recv(1)  # until the other side has given up
        else:
            line.sendall(b"stream: OK\0")

    with saying(answer) as address, served_by(settings, address):
        slow, other = store(None, CLEAN), store(None, b"another", "b.bin")
        assert dataclasses.astuple(scan()) == (1, 0, 1)
        assert read(other) == b"another"
        with pytest.raises(ContentHeld):
            read(slow)


@SQLITE_ONLY
def test_a_worker_that_is_to_end_leaves_the_rest_for_the_next(house: Flask) -> None:
    store(None, CLEAN)
    store(None, b"another", "b.bin")
    asked = iter([False, False, True, True])

    scan(lambda: next(asked))
    assert sorted(state or "" for state, _ in states()) == ["clean", "waiting"]
    assert db.session.scalars(select(func.count(Blob.scanned_at))).one() == 1
