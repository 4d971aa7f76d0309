"""What an outsider sends in one go: counted, kept and put into the catalog as drafts, all of it or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, or_, select, update

from portal import access, audit, notices
from portal.accounts import email_key, record_try
from portal.accounts.spelling import require_email, require_name
from portal.actors import Actor
from portal.addresses import absolute
from portal.catalog import Content, Facts, Outcome
from portal.catalog.categories import lock_shelves
from portal.catalog.documents import place_document, stand_in_line
from portal.catalog.texts import require_text
from portal.errors import BadInput, TooManyTries, UploadTooLarge
from portal.extensions import db, release_connection, settings, storage, transaction
from portal.models import FileRequest, Submission, Upload, User, db_now
from portal.settings import last_address
from portal.sizes import size_text
from portal.tokens import make_token, token_hash
from portal.uploads.quotas import require_room
from portal.uploads.requesting.making import is_live
from portal.uploads.requesting.opening import MOST_AT_ONCE, Opened, open_found, require_state
from portal.uploads.storing import Arrival, kept

RECEIPT = "receipt"
NOTE_LENGTH = 2000
SHOWN = 20
"""Files that are named in a mail."""
DAY = 24 * 3600
RECEIPTS_TO_ONE, RECEIPTS_FROM_ONE = 3, 20
"""So many receipts are mailed to one address, and asked for by one network, in a day: nobody floods anybody."""
NOTHING = "Choose at least one file."
TOO_MANY_AT_ONCE = f"These are {{:,}} files. Send at most {MOST_AT_ONCE} at a time, and then the others."
TOO_MANY_FILES = "These are {} files, and this link takes {} more."
TOO_MANY_BYTES = "This is {} together, and this link takes {} more."


@dataclass(frozen=True)
class Sender:
    """What an outsider says of themself, unchecked."""

    name: str
    email: str = ""
    note: str = ""


@dataclass(frozen=True)
class Sent:
    """A submission that is in the catalog, and the token of its receipt."""

    submission: Submission
    receipt: str


def submit(opened: Opened, sender: Sender, arrivals: Sequence[Arrival], network: str) -> Sent:
    """Put what somebody sent into the category of a request, as drafts, all or nothing.

    The limits are one conditional UPDATE in the transaction that writes everything down: however many send at once,
    they are never exceeded. Either way no temporary bytes are left. Raises BadInput, UploadTypeRejected,
    UploadTooLarge, QuotaExceeded, and a kind of RequestGone when it was closed meanwhile.
    """
    with kept(*arrivals):
        sender = _checked(sender)
        if not arrivals:
            raise BadInput(NOTHING, field="files")
        if len(arrivals) > MOST_AT_ONCE:
            raise BadInput(TOO_MANY_AT_ONCE.format(len(arrivals)), field="files")
        for arrival in arrivals:
            opened.require(arrival.filename, arrival.received.size)
        release_connection()
        with storage().placing():
            stamps = storage().keep_all([arrival.received for arrival in arrivals])
            contents = [arrival.content(stamps[arrival.received.sha256]) for arrival in arrivals]
            with transaction():
                return _write(opened, sender, list(zip(arrivals, contents, strict=True)), network)


def _write(opened: Opened, sender: Sender, files: list[tuple[Arrival, Content]], network: str) -> Sent:
    session = db.session()
    opened = _hold(opened.request.id, files)
    request = opened.request
    total = sum(content.size for _, content in files)
    _reserve(request, len(files), total)
    receipt = make_token()
    submission = Submission(
        file_request_id=request.id,
        sender=sender.name,
        email=sender.email or None,
        note=sender.note,
        network=network,
        receipt_hash=token_hash(RECEIPT, receipt),
    )
    session.add(submission)
    session.flush()
    who = Actor(user_id=None, kind="link", network=network)
    facts = Facts(is_draft=True, description=_description(request, sender))
    for arrival, content in files:
        outcome = place_document(who, opened.category_id, arrival.filename, content, facts=facts, on_conflict="rename")
        session.execute(insert(Upload).values(**_row(submission.id, opened.category_id, arrival, outcome)))
    require_room(None, total, is_counted=True)
    audit.record_event(
        "request.answered", actor=who, thing=("request", request.id), label=request.title, count=len(files)
    )
    _tell_maker(request, submission, files)
    _mail_receipt(request, submission, files, receipt)
    return Sent(submission, receipt)


def _hold(request_id: int, files: list[tuple[Arrival, Content]]) -> Opened:
    """The request as it is now, with all that is written held: much may have changed while the bytes came.

    Its category is looked up once more when a shelf is held, for then nothing is merged any more.
    """
    leads_to = db.session.scalar(select(FileRequest.category_id).where(FileRequest.id == request_id))
    lock_shelves(leads_to or access.NO_CATEGORY)
    opened = open_found(db.session.get_one(FileRequest, request_id, populate_existing=True))
    for arrival, content in files:
        opened.require(arrival.filename, content.size)
    stand_in_line([opened.category_id], [content for _, content in files])
    return opened


def _reserve(request: FileRequest, files: int, total: int) -> None:
    """Take room for files, or raise what speaks against it. Never more than there is."""
    has_places = or_(FileRequest.max_files.is_(None), FileRequest.files + files <= FileRequest.max_files)
    has_room = or_(FileRequest.max_bytes.is_(None), FileRequest.bytes + total <= FileRequest.max_bytes)
    take = update(FileRequest).where(FileRequest.id == request.id, is_live(), has_places, has_room)
    more = {"files": FileRequest.files + files, "bytes": FileRequest.bytes + total}
    if db.session.execute(take.values(**more).returning(FileRequest.id)).first() is not None:
        return
    db.session.refresh(request)
    require_state(request)
    left = request.max_files - request.files if request.max_files is not None else files
    if files > left:
        raise BadInput(TOO_MANY_FILES.format(f"{files:,}", f"{left:,}"), field="files")
    room = (request.max_bytes or 0) - request.bytes
    raise UploadTooLarge(TOO_MANY_BYTES.format(size_text(total), size_text(room)), field="files")


def _row(submission_id: int, category_id: int, arrival: Arrival, outcome: Outcome) -> dict[str, object]:
    size = arrival.received.size
    return {
        "submission_id": submission_id,
        "category_id": category_id,
        "filename": arrival.filename,
        "size": size,
        "received": size,
        "state": "done",
        "temp": "",
        "version_id": outcome.version_id,
        "outcome": outcome.kind,
        "expires_at": db_now(),
        "closed_at": db_now(),
    }


def _checked(sender: Sender) -> Sender:
    """Raises BadInput with the field of the form."""
    try:
        name = require_name(sender.name)
    except BadInput as problem:
        raise BadInput("Say who you are: 1 to 200 characters.", field="sender") from problem
    email = require_email(sender.email) if sender.email.strip() else ""
    note = require_text(sender.note, "note")
    if len(note) > NOTE_LENGTH:
        raise BadInput(f"A note has at most {NOTE_LENGTH:,} characters.", field="note")
    return Sender(name, email, note)


def _description(request: FileRequest, sender: Sender) -> str:
    """What publishers read beside each document."""
    whom = f"{sender.name}, {sender.email}" if sender.email else sender.name
    return f"Sent from outside by {whom}, who was asked for: {request.title}" + (
        f"\n\n{sender.note}" if sender.note else ""
    )


def _tell_maker(request: FileRequest, submission: Submission, files: list[tuple[Arrival, Content]]) -> None:
    maker = db.session.get(User, request.created_by_id) if request.created_by_id else None
    if maker is None or maker.disabled_at is not None:
        return
    notices.add_mail(
        "files_received",
        user_id=maker.id,
        email=maker.email,
        title=request.title,
        sender=submission.sender,
        documents=_lines(files),
        has_more=len(files) > SHOWN,
        address=absolute(last_address(settings()), f"/admin/requests/{request.id}"),
    )


def _mail_receipt(
    request: FileRequest, submission: Submission, files: list[tuple[Arrival, Content]], receipt: str
) -> None:
    """To the address they gave, which may be anybody's: a few a day at most."""
    if submission.email is None:
        return
    limits = ((f"receipt:{token_hash(RECEIPT, email_key(submission.email)).hex()}", RECEIPTS_TO_ONE, DAY),)
    network = ((f"receipts:{submission.network}", RECEIPTS_FROM_ONE, DAY),)
    try:
        record_try(*limits, *network)
    except TooManyTries:
        return  # the page with the receipt is theirs all the same
    notices.add_mail(
        "receipt",
        user_id=None,
        email=submission.email,
        title=request.title,
        number=number_of(submission),
        documents=_lines(files),
        has_more=len(files) > SHOWN,
        moment=submission.created_at,
        address=absolute(last_address(settings()), f"/r/receipts/{receipt}"),
    )


def number_of(submission: Submission) -> str:
    """The reference number people tell each other: ``4F3A-9B21``."""
    digits = submission.uuid.hex[:8].upper()
    return f"{digits[:4]}-{digits[4:]}"


def _lines(files: list[tuple[Arrival, Content]]) -> list[str]:
    return [f"{arrival.filename}, {size_text(content.size)}" for arrival, content in files[:SHOWN]]
