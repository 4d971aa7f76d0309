"""Group A.12 of the attack table: what two do at the same moment.

Every row is a test. Of A275 there is only what is built: no schedule runs anything yet.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import func, select, update

from portal.accounts import actor_of, add_group, change_user, disable_user, issue_token
from portal.catalog import remove_grant, trash_document
from portal.errors import DocumentNotFound, Forbidden
from portal.extensions import db, storage, transaction
from portal.integrity import collect, verify
from portal.models import (
    PUBLISH,
    AuditEvent,
    AuditPerson,
    Blob,
    Category,
    Document,
    Group,
    ShareLink,
    SignInAttempt,
    User,
    Version,
)
from tests import makers
from tests.attacks.oracle import MULTIPART, ON_BOTH, ROOT, Target, multipart, part
from tests.attacks.racing import asked, got, race, sent
from tests.integrity.stock import age_blobs, content_of
from tests.servers import FORM, TOKEN, environment

pytestmark = pytest.mark.xdist_group("attacks-links")

LARGE = 12 * 2**20
"""More than fits between a server and a client that does not read."""
LIMIT = 4096
PASSWORD = "other words without any meaning"
LONG = (pytest.mark.soak, pytest.mark.timeout(1200))
MANY = pytest.mark.parametrize("rounds", [2, pytest.param(40, marks=LONG)])


def test_a_download_that_is_running_ends_with_the_version_it_began_with(target: Target) -> None:
    """A265"""
    content = os.urandom(LARGE)
    document_id = document(target, "replaced.bin", content)
    with begun(target, f"/documents/{document_id}/download") as (response, first):
        assert document(target, "replaced.bin", b"another version") == document_id
        assert is_running(target, document_id)
        rest = response.read()

    assert first + rest == content
    answer = target.ask(f"/documents/{document_id}/download", 200, writes={"downloads"})
    assert answer.body == b"another version"


def test_a_download_that_is_running_ends_whole_though_somebody_brings_the_same_bytes(target: Target) -> None:
    """A265"""
    content = os.urandom(LARGE)
    document_id = document(target, "first.bin", content)
    with begun(target, f"/documents/{document_id}/download") as (response, first):
        assert document(target, "second.bin", content) != document_id
        assert is_running(target, document_id)
        assert first + response.read() == content


@pytest.mark.parametrize("is_purged", [False, True])
def test_a_download_that_is_running_ends_whole_or_short_when_its_document_goes(target: Target, is_purged: bool) -> None:
    """A266"""
    content = os.urandom(LARGE)
    document_id = document(target, "removed.bin", content)
    with begun(target, f"/documents/{document_id}/download") as (response, first):
        with target.app.app_context():
            trash_document(None, document_id)
            if is_purged:
                assert purge(document_id) > 0
        assert is_running(target, document_id)
        target.ask(f"/documents/{document_id}/download", 404)
        try:
            rest = response.read()
        except IncompleteRead as cut:
            assert is_purged
            rest = cut.partial

    assert content.startswith(first + rest)
    assert is_purged or len(first + rest) == len(content)


@ON_BOTH
@MANY
def test_two_who_rename_to_the_same_name_are_one_who_did_and_one_who_is_told(target: Target, rounds: int) -> None:
    """A267"""
    ids = [document(target, f"renamed {number}.pdf") for number in range(8)]
    for number in range(rounds):
        fields = {"title": "Renamed", "filename": f"the same {number}.pdf", "description": "", "expires_at": ""}
        forms = [sent(target, f"/documents/{found}/edit", fields, "publisher") for found in ids]

        statuses = [answer.status for answer in race(target, *forms)]

        assert (statuses.count(303), statuses.count(409)) == (1, 7), statuses


@ON_BOTH
@pytest.mark.parametrize("rounds", [20, pytest.param(1_000, marks=LONG)])
def test_what_is_uploaded_while_another_process_collects_the_same_bytes_is_there(target: Target, rounds: int) -> None:
    """A269: within one process, and step by step, it is ``tests/integrity/test_collecting.py``."""
    with target.app.app_context():
        shelf_id = makers.category("pdf/collected").id
    before = sorted(problems(target))
    target.form("publisher")  # looked at while nobody else writes
    is_over = Event()

    def collect_all_the_time() -> int:
        removed = 0
        with target.app.app_context():
            while not is_over.is_set():
                make_all_old(shelf_id)
                removed += collect().files
        return removed

    with ThreadPoolExecutor(1) as pool:
        collecting = pool.submit(collect_all_the_time)
        try:
            for number in range(rounds):
                upload_and_trash(target, f"{number} of {rounds}.pdf", b"%PDF-1.7 " + b"collected " * (number % 2))
        finally:
            is_over.set()
        assert collecting.result() > 0
    assert sorted(problems(target)) == before


@ON_BOTH
@MANY
def test_fifty_wrong_passwords_at_once_are_no_more_tries_than_are_allowed(target: Target, rounds: int) -> None:
    """A270"""
    for number in range(rounds):
        with target.app.app_context():
            shared = makers.document(makers.category("pdf"), "guessed.pdf", b"%PDF guessed")
            link, token = makers.link(shared, password=PASSWORD)
            link_id = link.id
        page = target.ask(f"/s/{token}", 200, who="nobody", headers={"Accept": "text/html"}, writes={"share_links"})
        form = TOKEN.search(page.body)
        assert form is not None
        cookie = page.header("Set-Cookie").partition(";")[0]
        headers = {"Content-Type": FORM, "X-CSRFToken": form[1].decode(), "Cookie": cookie}
        guesses = [b"password=guess+%d+of+%d" % (guess, number) for guess in range(50)]

        answers = race(target, *(asked(target, "POST", f"/s/{token}/download", headers, guess) for guess in guesses))

        statuses = [answer.status for answer in answers]
        assert (statuses.count(403), statuses.count(429)) == (target.settings.share_tries, 45)
        with target.app.app_context():
            tried = select(func.count()).where(SignInAttempt.key.startswith(f"share:{link_id}:"))
            assert db.session.scalars(tried).one() == target.settings.share_tries


@ON_BOTH
@pytest.mark.parametrize("purpose", ["reset", "invitation"])
def test_a_one_time_address_used_fifty_times_at_once_is_used_once(target: Target, purpose: str) -> None:
    """A271: setup addresses are in ``tests/accounts/test_tokens.py``; there are no recovery codes."""
    with target.app.app_context():
        person = makers.person(f"Late {purpose}")
        token = issue_token(None, purpose, person.id)
    page = target.ask(f"/setup/{token}", 200, who="nobody")
    form = TOKEN.search(page.body)
    assert form is not None
    cookie = page.header("Set-Cookie").partition(";")[0]
    headers = {"Content-Type": FORM, "X-CSRFToken": form[1].decode(), "Cookie": cookie}
    chosen = [b"password=words+number+%d+without+meaning" % number for number in range(50)]

    answers = race(target, *(asked(target, "POST", f"/setup/{token}", headers, choice) for choice in chosen))

    statuses = [answer.status for answer in answers]
    assert statuses.count(303) == 1
    assert set(statuses) <= {303, 404, 410, 503}, "too many who hash at once are told to come again"


@ON_BOTH
@pytest.mark.parametrize("event", ["demoted", "disabled"])
def test_what_an_administrator_does_is_decided_by_the_role_at_its_commit(target: Target, event: str) -> None:
    """A273: they asked while they were one; by the time it is written down, they are none."""
    with target.app.app_context():
        former = makers.person(f"Former {event} administrator", is_admin=True)
        asks = actor_of(former)
        if event == "demoted":
            change_user(None, former.id, name=former.name, is_admin=False)
        else:
            disable_user(None, former.id)

        with pytest.raises(Forbidden):
            add_group(asks, f"late, {event}")

        assert db.session.scalar(select(Group).where(Group.name == f"late, {event}")) is None


@ON_BOTH
def test_what_a_publisher_does_is_decided_by_the_grants_at_its_commit(target: Target) -> None:
    """A273"""
    with target.app.app_context():
        shelf = makers.category("races")
        former = makers.person("Former publisher")
        grant, asks = makers.grant(shelf, user=former, permission=PUBLISH), actor_of(former)
        made = makers.document(shelf, "theirs.pdf")
        remove_grant(None, grant.id)

        with pytest.raises(DocumentNotFound):
            trash_document(asks, made.id)


@ON_BOTH
@MANY
def test_the_log_has_nothing_of_an_administrator_after_they_were_none(target: Target, rounds: int) -> None:
    """A273"""
    for number in range(rounds):
        who = f"brief {number} of {rounds} on {target.database.dialect.name}"
        with target.app.app_context():
            brief_id = makers.person(who.title(), is_admin=True).id
            target.admit(who, brief_id)
        demote = sent(target, f"/admin/people/{brief_id}", {"name": who, "role": "person"}, "admin")
        forms = [sent(target, "/admin/groups", {"name": f"{who}, {group}"}, who) for group in range(12)]

        answers = race(target, *forms[:6], demote, *forms[6:])

        assert all(answer.status in (302, 303, 403, 404) for answer in answers), [answer.status for answer in answers]
        with target.app.app_context():
            assert not db.session.get_one(User, brief_id).is_admin
            require_nothing_after_demotion(brief_id)


@ON_BOTH
@MANY
def test_a_document_removed_shared_and_packed_at_once_is_no_failure(target: Target, rounds: int) -> None:
    """A274"""
    before = sorted(problems(target))
    for number in range(rounds):
        with target.app.app_context():
            shelf = makers.category(f"pdf/raced {number}")
            ids = [makers.document(shelf, f"{name}.pdf").id for name in ("one", "two", "three")]
            shelf_id = shelf.id
        terms = {"label": "raced", "password": "", "max_downloads": "", "expires_at": "", "message": ""}
        share = [sent(target, f"/documents/{found}/links", terms, "publisher") for found in ids]
        remove = [sent(target, f"/documents/{found}/trash", {}, "publisher") for found in ids]
        pack = [got(target, f"/categories/pdf/raced%20{number}/download", "reader")] * 3
        fetch = [got(target, f"/documents/{found}/download", "reader") for found in ids]

        answers = race(target, *share, *remove, *pack, *fetch)

        assert all(answer.status < 500 for answer in answers), [answer.status for answer in answers]
        with target.app.app_context():
            trashed = select(func.count()).where(Document.id.in_(ids), Document.trashed_at.is_not(None))
            assert db.session.scalars(trashed).one() == 3
            assert db.session.get_one(Category, shelf_id).document_count == 0
            made = db.session.scalars(select(func.count()).where(ShareLink.document_id.in_(ids))).one()
            assert made == sum(answer.status == 200 for answer in answers[:3])
    assert sorted(problems(target)) == before


@ON_BOTH
def test_two_collectors_at_once_do_each_thing_once(target: Target) -> None:
    """A275: `portal gc` does by hand what a schedule does; there is no scheduler of our own yet."""
    ids = [document(target, f"collected {number}.bin", b"collected %d" % number) for number in range(12)]
    with target.app.app_context():
        for document_id in ids:
            trash_document(None, document_id)
            make_old(document_id)
        event = AuditEvent.action == "document.purged"
        so_far = db.session.scalars(select(func.count()).where(event)).one()
    before = sorted(problems(target))

    command = [sys.executable, "-m", "portal.cli", "gc", "--json"]
    own = environment(target.settings)
    both = [subprocess.Popen(command, env=own, stdout=subprocess.PIPE, cwd=ROOT) for _ in range(2)]
    reports = [json.loads(process.communicate(timeout=60)[0]) for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert sum(report["purged"] for report in reports) == len(ids)
    assert sum(report["blobs"] for report in reports) == len(ids)
    with target.app.app_context():
        assert db.session.scalars(select(func.count()).where(event)).one() == so_far + len(ids)
    assert sorted(problems(target)) == before


def problems(target: Target) -> list[str]:
    """What `portal verify` finds: of others that were here before, who damaged things on purpose."""
    with target.app.app_context():
        return verify().problems


@contextmanager
def begun(target: Target, path: str) -> Iterator[tuple[HTTPResponse, bytes]]:
    """A download of which one byte was read; its client takes little at once, so that most is still to be sent."""
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LIMIT)
        line.settimeout(60)
        line.connect(("127.0.0.1", target.server.port))
        line.sendall(got(target, path, "reader"))
        response = HTTPResponse(line)
        response.begin()
        assert response.status == 200
        yield response, response.read(1)


def is_running(target: Target, document_id: int) -> bool:
    """Whether the server has not yet written the line of a download of this document."""
    return f"/documents/{document_id}/download 200" not in target.server.output


def document(target: Target, filename: str, content: bytes = b"%PDF-1.7 raced") -> int:
    """The id of a document the reader may read and the publisher may change."""
    with target.app.app_context():
        return makers.document(makers.category("pdf"), filename, content).id


def purge(document_id: int) -> int:
    """Remove the bytes of a document in the trash as if it had been there for long; how many files went."""
    make_old(document_id)
    return collect().files


def make_old(document_id: int) -> None:
    """As if a document had been in the trash, and its bytes unused, for longer than both are kept."""
    long_ago = makers.now(days=-40)
    makers.change(db.session.get_one(Document, document_id), trashed_at=long_ago)
    for version in db.session.scalars(select(Version).where(Version.document_id == document_id)).all():
        makers.change(db.session.get_one(Blob, version.blob_id), touched_at=long_ago)
        place = storage().place(version.sha256)
        os.utime(Path(place.directory) / place.name, (0, 0))


def require_nothing_after_demotion(user_id: int) -> None:
    """Fails when the log has something done by a person after it has that they are no administrator any more."""
    demoted = select(func.max(AuditEvent.id)).where(
        AuditEvent.action == "user.changed", AuditEvent.object_id == user_id, AuditEvent.object_type == "user"
    )
    last = db.session.scalars(demoted).one()
    hashed = select(AuditPerson.person_hash).where(AuditPerson.user_id == user_id).scalar_subquery()
    later = select(AuditEvent.action).where(AuditEvent.actor_hash == hashed, AuditEvent.id > last)
    assert set(db.session.scalars(later)) <= {"access.denied"}


def make_all_old(shelf_id: int) -> None:
    """As if whatever of this category is in the trash had been there for long, and no bytes been used today."""
    with transaction() as session:
        trashed = (Document.category_id == shelf_id, Document.trashed_at.is_not(None))
        session.execute(update(Document).where(*trashed).values(trashed_at=makers.now(days=-40)))
    age_blobs()


def upload_and_trash(target: Target, filename: str, content: bytes) -> None:
    """A document comes in by the form of the server, is there, and goes into the trash."""
    headers = {"Cookie": f"portal={target.tokens['publisher']}", "X-CSRFToken": target.form("publisher")}
    headers |= {"Content-Type": MULTIPART}
    body = multipart({"category": "pdf/collected"}, part("files", filename.encode(), content))
    assert target.exchange(asked(target, "POST", "/admin/upload", headers, body)).status == 200
    with target.app.app_context():
        made = db.session.scalars(select(Document).where(Document.filename == filename)).one()
        assert content_of(made) == content
        document_id = made.id
    assert target.exchange(sent(target, f"/documents/{document_id}/trash", {}, "publisher")).status == 303
