"""File requests: what an outsider sends lands as drafts where it was asked for, and never more than was asked for."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from portal import access, accounts, uploads
from portal.actors import Actor
from portal.catalog import change_rules, get_version, remove_category, remove_grant
from portal.catalog.merging import merge_category
from portal.catalog.trashing import trash_category
from portal.errors import (
    BadInput,
    Conflict,
    Forbidden,
    PortalError,
    QuotaExceeded,
    RequestExpired,
    RequestFull,
    RequestGone,
    RequestNotFound,
    RequestRevoked,
    TooManyTries,
    UploadTooLarge,
    UploadTypeRejected,
)
from portal.extensions import db, storage, transaction
from portal.models import (
    PUBLISH,
    READ,
    AuditEvent,
    Category,
    Document,
    FileRequest,
    Grant,
    Mail,
    Submission,
    Upload,
    User,
)
from portal.storage.incoming import Incoming
from portal.uploads import requesting
from portal.uploads.requesting import Sender, Sent, Terms
from portal.uploads.requesting.opening import MOST_AT_ONCE, SENDINGS
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.makers import NETWORK

pytestmark = pytest.mark.usefixtures("context")

PDF = b"%PDF-1.7 proof\n"
JPEG = b"\xff\xd8\xff\xe0 proof"
BEA = Sender("Bea Miller", "bea@elsewhere.example", "As agreed on the phone.")


@pytest.fixture
def inbox() -> Category:
    return makers.category("inbox")


@pytest.fixture
def pia(inbox: Category) -> Actor:
    """Who publishes in the inbox."""
    user = makers.person("Pia")
    makers.grant(inbox, user=user, permission=PUBLISH)
    return makers.actor(user)


def ask(actor: Actor | None, inbox: Category, **terms: object) -> tuple[FileRequest, str]:
    return requesting.add_request(actor, inbox.id, Terms(**{"title": "Proofs of income", **terms}))  # type: ignore[arg-type]


def incoming(content: bytes) -> Incoming:
    made = uploads.receive()
    made.write(content)
    return made


def send(token: str, *files: tuple[str, bytes], sender: Sender = BEA, network: str = NETWORK) -> Sent:
    opened = requesting.open_request(token, network)
    arrivals = []
    for name, content in files or (("proof.pdf", PDF),):
        arrivals.append(uploads.arrive(incoming(content), name))
    return requesting.submit(opened, sender, arrivals, network)


def drafts(inbox: Category) -> dict[str, Document]:
    found = db.session.scalars(select(Document).where(Document.category_id == inbox.id)).all()
    assert {one.published_at for one in found} <= {None}
    return {one.filename: one for one in found}


def mails(kind: str) -> list[Mail]:
    return list(db.session.scalars(select(Mail).where(Mail.kind == kind).order_by(Mail.id)))


def temps() -> int:
    return len(list(storage().root.joinpath("tmp").glob("incoming-*")))


def test_what_is_sent_lands_as_drafts_that_say_who_sent_them(pia: Actor, inbox: Category) -> None:
    reader = makers.person("Rob")
    makers.grant(inbox, user=reader, permission=READ)
    _, token = ask(pia, inbox)

    send(token, ("proof.pdf", PDF), ("letter.pdf", PDF + b"2"))

    found = drafts(inbox)
    assert set(found) == {"proof.pdf", "letter.pdf"}
    assert found["proof.pdf"].description == (
        "Sent from outside by Bea Miller, bea@elsewhere.example, who was asked for: Proofs of income\n\n"
        "As agreed on the phone."
    )
    assert get_version(found["proof.pdf"].current_version_id or 0).created_by_id is None
    assert access.may_read(pia, found["proof.pdf"].id)
    assert not access.may_read(makers.actor(reader), found["proof.pdf"].id)
    assert temps() == 0


def test_so_many_files_in_one_go_that_others_would_wait_are_refused(pia: Actor, inbox: Category) -> None:
    _, token = ask(pia, inbox)

    with pytest.raises(BadInput, match="at most 100 at a time"):
        send(token, *((f"{number}.pdf", PDF) for number in range(MOST_AT_ONCE + 1)))

    assert (drafts(inbox), temps()) == ({}, 0)


def test_the_maker_hears_of_it_once_and_the_sender_gets_one_receipt(pia: Actor, inbox: Category) -> None:
    made, token = ask(pia, inbox)

    sent = send(token, ("proof.pdf", PDF), ("letter.pdf", PDF + b"2"))

    (told,) = mails("files_received")
    assert (told.email, told.subject) == ("pia@example.org", "Bea Miller sent files: Proofs of income")
    assert f"http://localhost/admin/requests/{made.id}" in (told.text or "")
    (receipt,) = mails("receipt")
    assert receipt.email == "bea@elsewhere.example"
    assert f"http://localhost/r/receipts/{sent.receipt}" in (receipt.text or "")
    assert "As agreed" not in (receipt.text or "")
    assert "Bea" not in (receipt.text or "")


def test_a_receipt_says_what_came_and_is_found_by_its_token_alone(pia: Actor, inbox: Category) -> None:
    made, token = ask(pia, inbox)
    sent = send(token)
    requesting.revoke_request(pia, made.id)

    receipt = requesting.find_receipt(sent.receipt, NETWORK)

    assert (receipt.title, receipt.sender, len(receipt.number)) == ("Proofs of income", "Bea Miller", 9)
    assert [(file.filename, file.size) for file in receipt.files] == [("proof.pdf", len(PDF))]
    assert receipt.files[0].sha256 == makers.content_of(PDF).sha256
    for other in (token, str(sent.submission.uuid), "x" * 43):
        with pytest.raises(RequestNotFound):
            requesting.find_receipt(other, NETWORK)


def test_nobody_is_written_more_than_three_receipts_a_day(pia: Actor, inbox: Category) -> None:
    _, token = ask(pia, inbox)

    for number in range(5):
        send(token, (f"{number}.pdf", PDF + bytes([number])))

    assert len(mails("receipt")) == 3
    assert len(mails("files_received")) == 5


def test_one_network_has_twenty_receipts_mailed_a_day(pia: Actor, inbox: Category) -> None:
    _, token = ask(pia, inbox)

    for number in range(22):
        sender = Sender("Eve", f"victim{number}@example.com")
        send(token, (f"{number}.pdf", PDF + bytes([number])), sender=sender)

    assert len(mails("receipt")) == 20


def test_without_an_address_nothing_is_mailed_to_the_sender(pia: Actor, inbox: Category) -> None:
    _, token = ask(pia, inbox)

    send(token, sender=Sender("Bea"))

    assert mails("receipt") == []


@pytest.mark.parametrize(
    ("sender", "field"),
    [(Sender(" "), "sender"), (Sender("Bea", "nowhere"), "email"), (Sender("Bea", note="x" * 2001), "note")],
)
def test_a_sender_says_who_they_are(pia: Actor, inbox: Category, sender: Sender, field: str) -> None:
    _, token = ask(pia, inbox)

    with pytest.raises(BadInput) as caught:
        send(token, sender=sender)

    assert caught.value.field == field
    assert (drafts(inbox), temps()) == ({}, 0)


@pytest.mark.parametrize(
    ("terms", "files", "error"),
    [
        ({"max_files": 1}, [("a.pdf", PDF), ("b.pdf", PDF)], BadInput),
        ({"max_bytes": 20}, [("a.pdf", PDF), ("b.pdf", PDF)], UploadTooLarge),
        ({"max_file_bytes": 5}, [("a.pdf", PDF)], UploadTooLarge),
        ({"types": ["docx"]}, [("a.pdf", PDF)], UploadTypeRejected),
    ],
)
def test_what_was_not_asked_for_is_refused_and_nothing_of_it_stays(
    pia: Actor, inbox: Category, terms: dict[str, object], files: list[tuple[str, bytes]], error: type[PortalError]
) -> None:
    made, token = ask(pia, inbox, **terms)

    with pytest.raises(error):
        send(token, *files)

    db.session.refresh(made)
    assert (made.files, made.bytes, drafts(inbox), temps()) == (0, 0, {}, 0)
    assert db.session.scalar(select(func.count()).select_from(Submission)) == 0
    assert mails("receipt") == []


def test_the_types_of_the_category_count_too(pia: Actor, inbox: Category) -> None:
    change_rules(None, inbox.id, types=["pdf", "txt"], expiry_days=None)
    _, token = ask(pia, inbox, types=["pdf", "docx"])

    assert requesting.open_request(token, NETWORK).types == ("pdf",)


def test_a_type_may_be_spelled_otherwise_by_the_category_and_by_whoever_sends(pia: Actor, inbox: Category) -> None:
    change_rules(None, inbox.id, types=["jpg"], expiry_days=None)
    _, token = ask(pia, inbox, types=["jpeg", "pdf"])

    assert requesting.open_request(token, NETWORK).types == ("jpeg",)
    send(token, ("front.jpg", JPEG), ("back.jpeg", JPEG))
    with pytest.raises(UploadTypeRejected):
        send(token, ("a.txt", b"text"))


def test_a_request_is_full_when_it_has_what_it_takes(pia: Actor, inbox: Category) -> None:
    _, token = ask(pia, inbox, max_files=2)
    send(token)
    assert requesting.open_request(token, NETWORK).files_left == 1

    send(token, ("second.pdf", PDF))

    with pytest.raises(RequestFull):
        requesting.open_request(token, NETWORK)


@pytest.mark.parametrize("limit", ["files", "bytes"])
def test_two_who_send_at_once_never_exceed_a_limit(pia: Actor, inbox: Category, context: Flask, limit: str) -> None:
    terms = {"max_files": 5} if limit == "files" else {"max_bytes": 5 * 16}
    made, token = ask(pia, inbox, **terms)
    jobs: list[Callable[[], Sent]] = [
        partial(send, token, (f"a{one}.pdf", PDF + bytes([one])), (f"b{one}.pdf", PDF + bytes([one])))
        for one in range(6)
    ]

    outcomes = makers.at_once(context, *jobs)
    makers.release()

    db.session.refresh(made)
    came = [one for one in outcomes if isinstance(one, Sent)]
    assert (len(came), made.files, made.bytes, len(drafts(inbox))) == (2, 4, 4 * 16, 4)
    assert {type(one) for one in outcomes} <= {Sent, BadInput, UploadTooLarge}


def test_the_same_name_again_is_another_document(pia: Actor, inbox: Category) -> None:
    makers.document(inbox, "proof.pdf", PDF + b"ours", published_at=None)
    _, token = ask(pia, inbox)

    send(token)

    assert set(drafts(inbox)) == {"proof.pdf", "proof (2).pdf"}


@pytest.mark.parametrize("end", ["expired", "revoked", "right", "disabled", "trashed", "removed"])
def test_a_request_that_is_over_takes_nothing_and_says_so(pia: Actor, inbox: Category, end: str) -> None:
    made, token = ask(pia, inbox)
    if end == "expired":
        makers.change(made, expires_at=makers.now(seconds=-1))
    elif end == "revoked":
        requesting.revoke_request(pia, made.id)
    elif end == "right":
        remove_grant(None, db.session.scalars(select(Grant.id)).one())
    elif end == "disabled":
        accounts.disable_user(None, pia.user_id or 0)
    elif end == "trashed":
        trash_category(None, inbox.id)
    else:
        remove_category(None, inbox.id)

    with pytest.raises(RequestGone) as caught:
        requesting.open_request(token, NETWORK)

    known = {"expired": RequestExpired, "revoked": RequestRevoked, "removed": RequestRevoked}
    assert type(caught.value) is known.get(end, RequestGone)


def test_a_right_that_is_lost_while_bytes_come_counts(pia: Actor, inbox: Category) -> None:
    _, token = ask(pia, inbox)
    opened = requesting.open_request(token, NETWORK)
    remove_grant(None, db.session.scalars(select(Grant.id)).one())

    with pytest.raises(RequestGone):
        requesting.submit(opened, BEA, [uploads.arrive(incoming(PDF), "a.pdf")], NETWORK)

    assert (drafts(inbox), temps()) == ({}, 0)


@pytest.mark.parametrize(
    ("terms", "problem"), [({"max_file_bytes": 5}, UploadTooLarge), ({"types": ["docx"]}, UploadTypeRejected)]
)
def test_terms_that_change_while_bytes_come_count(
    pia: Actor, inbox: Category, terms: dict[str, object], problem: type[PortalError]
) -> None:
    made, token = ask(pia, inbox)
    opened, arrival = requesting.open_request(token, NETWORK), uploads.arrive(incoming(PDF), "a.pdf")
    values = {"allowed_types": "docx"} if "types" in terms else terms
    with transaction() as session:  # the row in hand does not know yet, as that of another process would not
        session.execute(update(FileRequest).values(values).execution_options(synchronize_session=False))

    with pytest.raises(problem):
        requesting.submit(opened, BEA, [arrival], NETWORK)

    assert (drafts(inbox), temps(), made.files) == ({}, 0, 0)


def test_a_category_that_is_merged_while_bytes_come_hands_them_over(pia: Actor, inbox: Category) -> None:
    other = makers.category("other")
    makers.grant(other, user=db.session.get_one(User, pia.user_id), permission=PUBLISH)
    _, token = ask(pia, inbox)
    opened = requesting.open_request(token, NETWORK)
    merge_category(None, inbox.id, other.id)

    requesting.submit(opened, BEA, [uploads.arrive(incoming(PDF), "a.pdf")], NETWORK)

    assert set(drafts(other)) == {"a.pdf"}


def test_tokens_that_never_were_are_counted(pia: Actor, inbox: Category) -> None:
    _, token = ask(pia, inbox)
    for _ in range(60):
        with pytest.raises(RequestNotFound):
            requesting.open_request("x" * 43, NETWORK)

    with pytest.raises(TooManyTries):
        requesting.open_request("y" * 43, NETWORK)
    assert requesting.open_request(token, NETWORK).author == "Pia"


def test_a_network_may_not_begin_to_send_for_ever(pia: Actor, inbox: Category) -> None:
    _, token = ask(pia, inbox)
    opened = requesting.open_request(token, NETWORK)
    for _ in range(SENDINGS):
        requesting.count_sending(opened, NETWORK)

    with pytest.raises(TooManyTries):
        requesting.count_sending(opened, NETWORK)
    requesting.count_sending(opened, "192.0.2.0/24")


def test_what_outsiders_sent_counts_to_the_quota_of_everybody(
    pia: Actor, inbox: Category, context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = ask(pia, inbox)
    limited = type(context.config["PORTAL"])
    monkeypatch.setitem(
        context.config, "PORTAL", limited(**{**vars(context.config["PORTAL"]), "quota": 2 * len(PDF) + 5})
    )
    send(token, ("a.pdf", PDF))
    send(token, ("b.pdf", PDF))

    with pytest.raises(QuotaExceeded):
        send(token, ("c.pdf", PDF))
    assert set(drafts(inbox)) == {"a.pdf", "b.pdf"}


def test_only_publishers_make_change_and_see_requests(pia: Actor, inbox: Category) -> None:
    made, _ = ask(pia, inbox)
    rob = makers.person("Rob")
    makers.grant(inbox, user=rob, permission=READ)
    reader = makers.actor(rob)

    with pytest.raises(Forbidden):
        ask(reader, inbox)
    for act in (
        lambda: requesting.change_request(reader, made.id, Terms("x")),
        lambda: requesting.revoke_request(reader, made.id),
        lambda: requesting.get_row(reader, made.id),
        lambda: requesting.list_submissions(reader, made.id),
        lambda: requesting.review_submission(reader, made.id, 1),
    ):
        with pytest.raises(RequestNotFound):
            act()
    assert requesting.list_requests(reader) == ([], None)


def test_terms_change_and_a_limit_below_what_came_is_what_came(pia: Actor, inbox: Category) -> None:
    made, token = ask(pia, inbox)
    send(token, ("a.pdf", PDF), ("b.pdf", PDF + b"2"))

    changed = requesting.change_request(pia, made.id, Terms("Other proofs", max_files=1, max_bytes=1))

    assert (changed.title, changed.max_files, changed.max_bytes) == ("Other proofs", 2, 2 * len(PDF) + 1)
    requesting.revoke_request(pia, made.id)
    with pytest.raises(Conflict, match="revoked for good"):
        requesting.change_request(pia, made.id, Terms("x"))


def test_what_came_is_listed_until_somebody_has_reviewed_it(pia: Actor, inbox: Category) -> None:
    made, token = ask(pia, inbox)
    ask(pia, inbox, title="Nothing came", expires_at=makers.now(days=1))
    sent = send(token)
    assert requesting.count_requests(pia) == {"all": 2, "open": 2, "waiting": 1, "closed": 0}

    requesting.review_submission(pia, made.id, sent.submission.id)
    requesting.review_submission(pia, made.id, sent.submission.id)

    assert requesting.count_requests(pia)["waiting"] == 0
    (row,), _ = requesting.list_submissions(pia, made.id)
    assert (row.reviewer, [file.filename for file in row.files]) == ("Pia", ["proof.pdf"])
    actions = select(AuditEvent.action).where(AuditEvent.object_type == "request").order_by(AuditEvent.id)
    assert db.session.scalars(actions).all() == [
        "request.added", "request.added", "request.answered", "request.reviewed",
    ]  # fmt: skip


def test_a_merged_category_hands_its_requests_over(inbox: Category) -> None:
    other = makers.category("other")
    _, token = ask(None, inbox)

    merge_category(None, inbox.id, other.id)

    send(token)
    assert set(drafts(other)) == {"proof.pdf"}


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"title": ""}, "title"),
        ({"max_files": 0}, "max_files"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"max_file_bytes": 10**16}, "max_file_bytes"),
        ({"types": ["p/df"]}, "types"),
        ({"expires_at": -1}, "expires_at"),
    ],
)
def test_terms_that_cannot_be_are_refused_at_their_field(
    pia: Actor, inbox: Category, terms: dict[str, object], field: str
) -> None:
    if "expires_at" in terms:
        terms = {"expires_at": makers.now() - timedelta(days=1)}
    with pytest.raises(BadInput) as caught:
        ask(pia, inbox, **terms)
    assert caught.value.field == field


@SQLITE_ONLY
def test_uploads_of_a_submission_are_kept_when_its_category_is_removed(inbox: Category) -> None:
    _, token = ask(None, inbox)
    sent = send(token)
    makers.change(drafts(inbox)["proof.pdf"], category_id=makers.category("elsewhere").id)
    makers.change(inbox, document_count=0)

    remove_category(None, inbox.id)

    assert db.session.scalars(select(Upload.category_id)).all() == [None]
    assert len(requesting.find_receipt(sent.receipt, NETWORK).files) == 1


@SQLITE_ONLY
def test_what_an_erased_person_sent_from_outside_names_them_no_more(inbox: Category) -> None:
    ada = makers.person("Ada")
    _, token = ask(None, inbox)
    send(token, sender=Sender("Ada", "ADA@example.org", "It is me."))
    send(token, ("b.pdf", PDF))

    accounts.erase_user(None, ada.id)

    sent = db.session.execute(
        select(Submission.sender, Submission.email, Submission.note).order_by(Submission.id)
    ).all()
    assert sent == [(f"Erased person {ada.id}", None, ""), (BEA.name, BEA.email, BEA.note)]
