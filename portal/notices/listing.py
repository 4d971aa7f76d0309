"""The outbox as administrators see it: all about a mail but what it says, for one-time addresses stand in that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select, true

from portal.extensions import db
from portal.models import Mail, db_later
from portal.notices.texts import one_line

PAGE = 50
STATES = ("waiting", "parked", "sent", "dropped")
MOST_COUNTED = 1000
"""How far mails in a state are counted."""
LATE_SECONDS = 5 * 60
"""A mail that was due for longer than that tells that nobody sends any."""
LISTED = (
    Mail.id,
    Mail.kind,
    Mail.user_id,
    Mail.email,
    Mail.subject,
    Mail.state,
    Mail.created_at,
    Mail.due_at,
    Mail.tries,
    Mail.problem,
    Mail.sent_at,
)


@dataclass(frozen=True)
class MailRow:
    """A mail without its words; ``due_at`` means something while it waits."""

    id: int
    kind: str
    user_id: int | None
    email: str
    subject: str
    state: str
    created_at: datetime
    due_at: datetime
    tries: int
    problem: str
    sent_at: datetime | None

    @property
    def is_put_off(self) -> bool:
        """Whether it waits for its next try, and nobody is at it."""
        return self.state == "waiting" and bool(self.problem)


def list_mails(
    email: str = "", after: int | None = None, limit: int = PAGE, *, state: str | None = None
) -> tuple[Sequence[MailRow], int | None]:
    """Mails, the newest first, with the id to go on after; narrowed to a part of an address and to a state."""
    needle = one_line(email)
    narrowed = [Mail.state == state if state else true(), Mail.id < after if after else true()]
    if needle:
        narrowed.append(Mail.email.icontains(needle, autoescape=True))
    statement = select(*LISTED).where(*narrowed).order_by(Mail.id.desc()).limit(limit + 1)
    rows = [MailRow(*row) for row in db.session.execute(statement)]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def count_mails(most: int = MOST_COUNTED) -> dict[str, int]:
    """How many mails there are in each state; counting stops at one more than ``most``."""
    counts = [_counted(Mail.state == state, most).label(None) for state in STATES]
    return dict(zip(STATES, db.session.execute(select(*counts)).one(), strict=True))


def are_late() -> bool:
    """Whether mails are due and nobody sends them: no worker runs, or it has too much to do."""
    late = and_(Mail.state == "waiting", Mail.due_at < db_later(-LATE_SECONDS))
    return db.session.scalar(select(Mail.id).where(late).limit(1)) is not None


def _counted(condition: ColumnElement[bool], most: int) -> ColumnElement[int]:
    found = select(Mail.id).where(condition).limit(most + 1).subquery()
    return select(func.count()).select_from(found).scalar_subquery()
