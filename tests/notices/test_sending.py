"""Mails that leave: taken, refused, put off, parked; by a real server, and with nothing else of ours in between."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.extensions import db, transaction
from portal.models import Mail
from portal.notices import add_mail, carriers, send_due, sending
from portal.notices.sending import LEASE_SECONDS, PAUSES, TRIES
from portal.settings import Settings
from portal.tokens import make_token
from tests import makers
from tests.postbox import DROP, PASSWORD, TAKEN, USER, Postbox, certificate, postbox, signing_in

ADA = "ada@example.org"
WORDS = "A sentence, about what was changed: \u00e4\u6771."


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox() as found:
        yield found


@pytest.fixture
def house(settings: Settings, box: Postbox) -> Iterator[Flask]:
    """The core with this mail server."""
    with makers.core(replace(settings, mail_url=box.url)) as app:
        yield app


def put(email: str = ADA, what: str = WORDS) -> None:
    add_mail("role_changed", user_id=None, email=email, what=what)


def send() -> list[str]:
    """Send what is due; what was printed."""
    shown: list[str] = []
    send_due(shown.append, lambda: False)
    makers.release()
    return shown


def mails() -> list[Mail]:
    makers.release()
    return list(db.session.scalars(select(Mail).order_by(Mail.id).execution_options(populate_existing=True)))


def the_mail() -> Mail:
    (found,) = mails()
    return found


def states() -> list[tuple[str, int]]:
    return [(mail.state, mail.tries) for mail in mails()]


def make_due() -> None:
    """Let the moments come that somebody waits for."""
    with transaction() as session:
        session.execute(update(Mail).values(due_at=makers.now(seconds=-1)))


def waits(mail: Mail) -> timedelta:
    return mail.due_at - makers.now()


def about(found: timedelta, seconds: float) -> bool:
    return timedelta(seconds=seconds - 30) < found <= timedelta(seconds=seconds)


@pytest.mark.usefixtures("house")
def test_a_mail_arrives_as_it_was_written_and_its_words_are_not_kept(box: Postbox) -> None:
    put()
    before = the_mail()
    subject, message_id, created_at = before.subject, before.message_id, before.created_at

    assert send() == []

    (arrived,) = box.received
    assert arrived.sender == "portal@localhost"
    assert arrived.recipients == [ADA]
    assert arrived.message["From"] == "Portal <portal@localhost>"
    assert arrived.message["To"] == ADA
    assert arrived.message["Subject"] == subject
    assert arrived.message["Message-ID"] == message_id
    assert arrived.message["Date"].datetime == created_at.replace(microsecond=0)
    assert arrived.message["Auto-Submitted"] == "auto-generated"
    assert WORDS in arrived.text
    assert WORDS in arrived.html
    mail = the_mail()
    assert (mail.state, mail.tries, mail.problem, mail.text, mail.html) == ("sent", 1, "", None, None)
    assert mail.sent_at is not None


@pytest.mark.usefixtures("house")
def test_nothing_is_sent_twice_and_nothing_that_is_not_due(box: Postbox) -> None:
    put()
    put("bob@example.org")
    makers.change(mails()[1], due_at=makers.now(minutes=5))

    send()
    send()

    assert [arrived.recipients for arrived in box.received] == [[ADA]]
    assert states() == [("sent", 1), ("waiting", 0)]


@pytest.mark.usefixtures("house")
def test_who_has_been_due_for_longest_is_first_and_many_go_by_few_connections(
    box: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carriers, "MAILS_EACH", 2)
    for number in range(5):
        put(f"reader{number}@example.org")

    send()

    assert [arrived.recipients[0] for arrived in box.received] == [f"reader{n}@example.org" for n in range(5)]


@pytest.mark.usefixtures("house")
def test_a_passing_refusal_is_tried_again_later_and_says_why(box: Postbox) -> None:
    token = make_token()
    box.recipient_answers = [f"451 4.7.1 Try again later,\r\n see /setup/{token}"[:400].replace("\r\n", " ")]
    put()
    put("bob@example.org")

    send()

    first, second = mails()
    assert (first.state, first.tries) == ("waiting", 1)
    assert first.problem == f"451 4.7.1 Try again later, see /setup/{token[:6]}\u2026"
    assert about(waits(first), PAUSES[0])
    assert second.state == "sent", "the others do not wait for it"
    make_due()
    send()
    assert states() == [("sent", 2), ("sent", 1)]
    assert mails()[0].problem == ""


@pytest.mark.usefixtures("house")
def test_pauses_grow_and_after_the_eighth_try_it_is_parked_with_its_words(box: Postbox) -> None:
    put()
    for tried in range(1, TRIES + 1):
        box.recipient_answers = ["450 4.2.1 Busy"]
        send()
        mail = the_mail()
        assert mail.tries == tried
        if tried < TRIES:
            assert about(waits(mail), PAUSES[tried - 1])
            make_due()

    assert (mail.state, mail.problem) == ("parked", "450 4.2.1 Busy")
    assert mail.text is not None, "it can be tried again"
    make_due()
    send()
    assert box.received == []


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("where", ["recipient_answers", "data_answers"])
def test_a_refusal_for_good_parks_at_once(box: Postbox, where: str) -> None:
    setattr(box, where, ["554 5.7.1 No such reader here"])
    put()

    send()

    mail = the_mail()
    assert (mail.state, mail.tries, mail.problem) == ("parked", 1, "554 5.7.1 No such reader here")


@pytest.mark.usefixtures("house")
def test_a_line_that_breaks_after_the_mail_was_taken_has_it_sent_again_under_the_same_id(box: Postbox) -> None:
    box.data_answers = [DROP]
    put()

    send()

    assert states() == [("waiting", 1)]
    assert the_mail().problem == "Connection unexpectedly closed"
    make_due()
    send()
    assert states() == [("sent", 2)]
    first, second = box.received
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.message.as_bytes().replace(b"\r", b"").split(b"--=")[0].count(b"Date") == 1
    assert first.message["Date"] == second.message["Date"]


@pytest.mark.usefixtures("house")
def test_a_line_that_breaks_over_one_mail_keeps_no_other_from_going(box: Postbox) -> None:
    box.data_answers = [DROP]
    put()
    put("bob@example.org")

    send()

    assert states() == [("waiting", 1), ("sent", 1)]


def test_a_server_that_is_not_there_keeps_the_others_from_being_tried(settings: Settings) -> None:
    with makers.core(replace(settings, mail_url="smtp://127.0.0.1:1")):
        put()
        put("bob@example.org")

        send()

        assert states() == [("waiting", 1), ("waiting", 0)]
        assert mails()[0].problem == "Connection refused"
        send()
        assert states() == [("waiting", 1), ("waiting", 1)]


@pytest.mark.usefixtures("house")
def test_a_server_that_says_nothing_is_given_up(box: Postbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "PATIENCE_SECONDS", 0.3)
    box.silent_seconds = 1.5
    put()
    began = time.monotonic()

    send()

    assert time.monotonic() - began < 1.2
    assert states() == [("waiting", 1)]
    assert "timed out" in the_mail().problem


def test_no_transaction_is_open_while_a_mail_travels(settings: Settings, box: Postbox) -> None:
    def write_meanwhile() -> None:
        with makers.core(replace(settings, mail_url=box.url)):
            makers.person("Bob")

    with makers.core(replace(settings, mail_url=box.url)):
        box.on_data = write_meanwhile
        put()
        began = time.monotonic()
        send()
        assert time.monotonic() - began < 4, "nobody waited for a lock"
        assert states() == [("sent", 1)]
        assert not db.session().in_transaction() or db.session.scalar(select(Mail.state)) == "sent"


def test_two_workers_send_each_mail_once(settings: Settings, box: Postbox) -> None:
    chosen = replace(settings, mail_url=box.url)
    with makers.core(chosen) as app:
        for number in range(12):
            put(f"reader{number}@example.org")

        def run() -> None:
            send_due(lambda text: None, lambda: False)

        assert makers.at_once(app, run, run, run) == [None] * 3
        assert states() == [("sent", 1)] * 12
    assert sorted(arrived.recipients[0] for arrived in box.received) == sorted(
        f"reader{number}@example.org" for number in range(12)
    )


@pytest.mark.usefixtures("house")
def test_a_claim_that_nobody_ended_is_due_again_after_its_lease(box: Postbox) -> None:
    put()
    assert sending._claim() is not None

    send()

    assert box.received == []
    assert about(waits(the_mail()), LEASE_SECONDS)
    make_due()
    send()
    assert states() == [("sent", 2)]


@pytest.mark.usefixtures("house")
def test_a_mail_that_ends_every_worker_is_parked_and_not_tried_for_ever(box: Postbox) -> None:
    put()
    makers.change(the_mail(), tries=TRIES, due_at=makers.now(seconds=-1))

    send()

    mail = the_mail()
    assert (mail.state, box.received) == ("parked", [])
    assert mail.problem.startswith("It was tried 8 times")


@pytest.mark.usefixtures("house")
def test_who_lost_the_lease_does_not_put_off_what_somebody_else_sends() -> None:
    put()
    late = sending._claim()
    assert late is not None
    make_due()
    assert sending._claim() is not None

    sending._put_off(late, carriers.NotTaken("late", is_final=True))

    assert states() == [("waiting", 2)]
    assert the_mail().problem == ""


@pytest.mark.usefixtures("house")
def test_whoever_is_told_to_end_ends_between_two_mails(box: Postbox) -> None:
    put()
    put("bob@example.org")

    send_due(lambda text: None, lambda: bool(box.received))

    assert states() == [("sent", 1), ("waiting", 0)]


@pytest.mark.usefixtures("house")
def test_no_header_is_added_by_an_address_or_a_name(box: Postbox) -> None:
    makers.release()
    put(f"{ADA}\r\nBcc: all@example.org", "x\r\n.\r\nMAIL FROM:<a@b>\r\n.")
    put(what=".\n.\r\n.")
    put("ada@example.org, all@example.org")
    put("ada@example.org>,<all")
    put("ada")

    send()

    assert [arrived.recipients for arrived in box.received] == [[ADA]]
    assert box.received[0].message["Bcc"] is None
    assert [state for state, _ in states()] == ["parked", "sent", "parked", "parked", "parked"]
    assert mails()[0].problem == "This is no address a mail can be sent to."


@pytest.mark.usefixtures("house")
def test_a_domain_beyond_ascii_travels_in_ascii(box: Postbox) -> None:
    put("ada@b\u00fccher.example")

    send()

    assert box.received[0].recipients == ["ada@xn--bcher-kva.example"]
    assert box.received[0].message["To"] == "ada@xn--bcher-kva.example"


def test_a_name_beyond_ascii_before_the_at_needs_a_server_that_takes_it(settings: Settings, box: Postbox) -> None:
    with makers.core(replace(settings, mail_url=box.url)):
        put("j\u00f6rg@example.org")
        send()
        assert (the_mail().state, box.received) == ("parked", [])
        assert the_mail().problem.startswith("The server takes no address with letters beyond ASCII")
        makers.change(the_mail(), state="waiting")
    with postbox(enable_SMTPUTF8=True) as able, makers.core(replace(settings, mail_url=able.url)):
        make_due()
        send()
        assert able.received[0].recipients == ["j\u00f6rg@example.org"]


def test_the_name_of_the_portal_and_its_host_are_who_mails_come_from(settings: Settings, box: Postbox) -> None:
    chosen = replace(settings, mail_url=box.url, name='P\u00e4pers, "Inc."\r\nX: y', base_url="https://d.example.org")
    with makers.core(chosen):
        put()
        send()
    (arrived,) = box.received
    assert arrived.sender == "portal@d.example.org"
    (named,) = arrived.message["From"].addresses
    assert (named.display_name, named.addr_spec) == ('P\u00e4pers, "Inc." X: y', "portal@d.example.org")
    assert arrived.message["X"] is None


def test_the_sender_may_be_set(settings: Settings, box: Postbox) -> None:
    with makers.core(replace(settings, mail_url=box.url, mail_from="House <house@example.org>")):
        put()
        send()
    assert (box.received[0].sender, box.received[0].message["From"]) == (
        "house@example.org",
        "House <house@example.org>",
    )


def test_an_address_in_a_mail_is_that_of_the_portal_whatever_a_request_says(settings: Settings, box: Postbox) -> None:
    chosen = replace(settings, mail_url=box.url, base_url="https://papers.example.org")
    with makers.running(chosen) as app, app.test_request_context("/", headers={"Host": "evil.example"}):
        put()
        send()
    assert box.received[0].addresses[-1] == "https://papers.example.org"
    assert "evil" not in box.received[0].message.as_string()


def test_without_a_server_a_mail_is_printed_whole_and_counts_as_sent(settings: Settings) -> None:
    with makers.core(settings):
        put(what="See http://localhost/setup/" + "t" * 43)
        (shown,) = send()
        assert f"\nTo: {ADA}\n" in shown
        assert "/setup/" + "t" * 43 in shown
        assert f"\nSubject: {the_mail().subject}\n" in shown
        assert states() == [("sent", 1)]


def test_the_last_mail_to_somebody_erased_keeps_no_address(settings: Settings) -> None:
    with makers.core(settings):
        add_mail("account_erased", user_id=None, email=ADA)
        (shown,) = send()
        assert ADA in shown
        assert (the_mail().state, the_mail().email) == ("sent", "")


def test_what_was_sent_long_ago_is_forgotten(settings: Settings) -> None:
    with makers.core(settings):
        for _ in range(3):
            put()
        old, parked, _ = mails()
        makers.change(old, state="sent", due_at=makers.now(days=-91))
        makers.change(parked, state="parked", due_at=makers.now(days=-91))
        send()
        assert [state for state, _ in states()] == ["parked", "sent"]


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AbstractContextManager[Postbox]]:
    """A server that offers STARTTLS and signing in, and whose certificate is believed."""
    context, file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return lambda **options: postbox(tls_context=context, authenticator=signing_in, **options)


def sends_by(settings: Settings, url: str) -> str:
    """What a mail sent there is in the end, and why."""
    with makers.core(replace(settings, mail_url=url)):
        put()
        send()
        return f"{the_mail().state} {the_mail().problem}".strip()


@pytest.mark.parametrize("query", ["", "?starttls=required"])
def test_a_line_is_encrypted_and_signed_in_where_the_server_offers_it(
    sqlite_settings: Settings, tls: Callable[..., AbstractContextManager[Postbox]], query: str
) -> None:
    with tls() as box:
        url = f"smtp://{USER}:{PASSWORD.replace('/', '%2F')}@127.0.0.1:{box.port}{query}"
        assert sends_by(sqlite_settings, url) == "sent"
        assert box.received[0].is_encrypted


def test_without_starttls_nothing_is_sent_where_it_is_required(sqlite_settings: Settings, box: Postbox) -> None:
    found = sends_by(sqlite_settings, f"{box.url}?starttls=required")
    assert found == "waiting The server offers no STARTTLS, and without it nothing is sent."
    assert box.received == []


def test_a_certificate_nobody_signed_is_refused_where_encryption_is_required(
    sqlite_settings: Settings, tls: Callable[..., AbstractContextManager[Postbox]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with tls() as box:
        assert "CERTIFICATE_VERIFY_FAILED" in sends_by(sqlite_settings, f"{box.url}?starttls=required")
        assert box.received == []


def test_a_certificate_nobody_signed_is_better_than_none_where_encryption_is_not_required(
    sqlite_settings: Settings, tls: Callable[..., AbstractContextManager[Postbox]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with tls() as box:
        assert sends_by(sqlite_settings, box.url) == "sent"
        assert box.received[0].is_encrypted


def test_a_wrong_password_is_told_without_the_password(
    sqlite_settings: Settings, tls: Callable[..., AbstractContextManager[Postbox]]
) -> None:
    with tls() as box:
        found = sends_by(sqlite_settings, f"smtp://{USER}:secret@127.0.0.1:{box.port}")
        assert found.startswith("waiting 535 ")
        assert "secret" not in found


def test_a_password_travels_to_another_machine_only_encrypted(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            line, _ = listener.accept()
            with line:
                line.sendall(b"220 mail\r\n")
                heard.append(line.recv(1000))
                line.sendall(b"250-mail\r\n250 AUTH PLAIN\r\n")
                while more := line.recv(1000):
                    heard.append(more)

        thread = threading.Thread(target=listen)
        thread.start()
        monkeypatch.setattr(carriers, "is_loopback", lambda host: False)
        found = sends_by(sqlite_settings, f"smtp://{USER}:secret@127.0.0.1:{listener.getsockname()[1]}")
        thread.join(10)
    assert found == "waiting The server offers no STARTTLS, and without it nothing is sent."
    assert b"AUTH" not in b"".join(heard)


def test_tls_from_the_first_byte(sqlite_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with postbox(ssl_context=context) as box:
        assert sends_by(sqlite_settings, f"smtps://127.0.0.1:{box.port}") == "sent"
        assert len(box.received) == 1


@pytest.mark.usefixtures("house")
def test_what_the_server_says_is_cut_to_what_is_kept(box: Postbox) -> None:
    box.recipient_answers = [f"{TAKEN[:0]}550 {'x' * 490} {'y' * 490}"]
    put()
    send()
    assert len(the_mail().problem) == 500
