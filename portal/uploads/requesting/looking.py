"""File requests and what came by them, as those see it who may publish where they lead; and receipts, as senders do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select, update

from portal import access, audit
from portal.actors import Actor
from portal.errors import RequestNotFound
from portal.extensions import db, transaction
from portal.models import PUBLISH, Category, Document, FileRequest, Submission, Upload, User, Version, db_now
from portal.tokens import is_token, token_hash
from portal.uploads.requesting.making import get_request, is_live, state_of
from portal.uploads.requesting.opening import count_unknown
from portal.uploads.requesting.receiving import RECEIPT, number_of

PAGE = 50
STATES = ("open", "waiting", "closed")
"""What a list is narrowed to. ``waiting``: something came that nobody has reviewed."""


@dataclass(frozen=True)
class RequestRow:
    """One request in a list."""

    request: FileRequest
    category_path: str
    """"" once its category was removed for good."""
    author: str | None
    state: str
    """``open``, ``expired``, ``full`` or ``revoked``."""
    submissions: int
    waiting: int
    """Those nobody has reviewed."""


@dataclass(frozen=True)
class SentFile:
    """One file of a submission, and the document it is: its own, unless the same was there before by that name."""

    filename: str
    size: int
    sha256: str
    document_id: int
    is_own: bool


@dataclass(frozen=True)
class SubmissionRow:
    """What one outsider sent in one go."""

    submission: Submission
    number: str
    """The reference number on the receipt."""
    reviewer: str | None
    files: Sequence[SentFile]

    @property
    def size(self) -> int:
        """Of all files together."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Receipt:
    """What a sender is shown of what they sent."""

    title: str
    number: str
    sender: str
    email: str | None
    sent_at: datetime
    files: Sequence[SentFile]


def get_row(actor: Actor, request_id: int) -> RequestRow:
    """One request as a list shows it. Raises RequestNotFound."""
    get_request(actor, request_id)
    found = db.session.execute(_rows().where(FileRequest.id == request_id)).one()
    return _row(found)


def list_requests(
    actor: Actor, *, state: str = "", after: int | None = None, limit: int = PAGE
) -> tuple[list[RequestRow], int | None]:
    """Requests that lead to where the person may publish, the newest first, and the id to go on after."""
    statement = _theirs(actor, _rows())
    if state in STATES:
        statement = statement.where(_in_state(state))
    if after is not None:
        statement = statement.where(FileRequest.id < after)
    found = db.session.execute(statement.order_by(FileRequest.id.desc()).limit(limit + 1)).all()
    rows = [_row(row) for row in found[:limit]]
    return rows, rows[-1].request.id if len(found) > limit else None


def count_requests(actor: Actor) -> dict[str, int]:
    """How many there are in each of the states a list can be narrowed to, and ``all``."""
    mine = _theirs(actor, select(func.count()).select_from(FileRequest))
    counts = {state: db.session.scalars(mine.where(_in_state(state))).one() for state in STATES}
    return {"all": db.session.scalars(mine).one(), **counts}


def count_waiting(actor: Actor) -> int:
    """How many of them something came by that nobody has reviewed, as the list narrowed to these has them."""
    statement = _theirs(actor, select(func.count()).select_from(FileRequest))
    return int(db.session.scalars(statement.where(_in_state("waiting"))).one())


def list_submissions(
    actor: Actor, request_id: int, *, after: int | None = None, limit: int = PAGE
) -> tuple[list[SubmissionRow], int | None]:
    """What came by a request, the newest first, and the id to go on after. Raises RequestNotFound."""
    get_request(actor, request_id)
    statement = select(Submission, User.name).outerjoin(User, User.id == Submission.reviewed_by_id)
    statement = statement.where(Submission.file_request_id == request_id)
    if after is not None:
        statement = statement.where(Submission.id < after)
    found = db.session.execute(statement.order_by(Submission.id.desc()).limit(limit + 1)).all()
    files = _files([submission.id for submission, _ in found[:limit]])
    rows = [
        SubmissionRow(submission, number_of(submission), name, files.get(submission.id, []))
        for submission, name in found[:limit]
    ]
    return rows, rows[-1].submission.id if len(found) > limit else None


def review_submission(actor: Actor, request_id: int, submission_id: int) -> None:
    """Say that somebody has looked at what came. Raises RequestNotFound."""
    with transaction() as session:
        request = get_request(actor, request_id)
        this = (Submission.id == submission_id, Submission.file_request_id == request_id)
        if session.scalar(select(Submission.id).where(*this)) is None:
            raise RequestNotFound
        mark = update(Submission).where(*this, Submission.reviewed_at.is_(None))
        marked = mark.values(reviewed_at=db_now(), reviewed_by_id=actor.user_id).returning(Submission.id)
        if session.execute(marked).first() is not None:
            thing = ("request", request_id)
            audit.record_event("request.reviewed", actor=actor, thing=thing, label=request.title)


def find_receipt(token: str, network: str) -> Receipt:
    """The receipt of this token. Raises RequestNotFound for one that never was, which counts: TooManyTries."""
    statement = select(Submission, FileRequest.title).join(FileRequest, FileRequest.id == Submission.file_request_id)
    this = statement.where(Submission.receipt_hash == token_hash(RECEIPT, token))
    found = db.session.execute(this).first() if is_token(token) else None
    if found is None:
        count_unknown(network)
        raise RequestNotFound
    sent: Submission = found[0]
    files = _files([sent.id]).get(sent.id, [])
    return Receipt(found[1], number_of(sent), sent.sender, sent.email, sent.created_at, files)


def _rows() -> Select[FileRequest, str | None, str | None, int, int, datetime]:
    came = select(func.count()).where(Submission.file_request_id == FileRequest.id).correlate(FileRequest)
    waiting = came.where(Submission.reviewed_at.is_(None))
    statement = select(
        FileRequest, Category.path, User.name, came.scalar_subquery(), waiting.scalar_subquery(), db_now()
    )
    statement = statement.outerjoin(Category, Category.id == FileRequest.category_id)
    return statement.outerjoin(User, User.id == FileRequest.created_by_id)


def _row(found: Sequence[object]) -> RequestRow:
    request, path, author, submissions, waiting, now = found
    return RequestRow(request, path or "", author, state_of(request, now), submissions, waiting)  # type: ignore[arg-type]


def _theirs(actor: Actor, statement: Select) -> Select:  # type: ignore[type-arg]
    if actor.is_admin:
        return statement
    reach = access.reachable(actor, PUBLISH)
    return statement.join(reach, reach.c.category_id == FileRequest.category_id)


def _in_state(state: str) -> ColumnElement[bool]:
    if state == "waiting":
        new = (Submission.file_request_id == FileRequest.id, Submission.reviewed_at.is_(None))
        return select(Submission.id).where(*new).exists()
    return is_live() if state == "open" else ~is_live()


def _files(submission_ids: Sequence[int]) -> dict[int, list[SentFile]]:
    is_own = Upload.outcome != "unchanged"
    columns = (Upload.submission_id, Upload.filename, Upload.size, Version.sha256, Document.id, is_own)
    statement = select(*columns).join(Version, Version.id == Upload.version_id)
    statement = statement.join(Document, Document.id == Version.document_id)
    found: dict[int, list[SentFile]] = {}
    here = statement.where(Upload.submission_id.in_(submission_ids)).order_by(Upload.id)
    for submission_id, filename, size, sha256, document_id, is_its in db.session.execute(here):
        found.setdefault(submission_id or 0, []).append(SentFile(filename, size, sha256, document_id, is_its))
    return found
