"""What can be said today about the log: it is insert-only, and its numbers have no holes. It is not sealed yet."""

from dataclasses import asdict, dataclass

import click
from sqlalchemy import Delete, Update, delete, func, or_, select, text, update
from sqlalchemy.exc import DBAPIError

from portal.cli.failures import Refusal
from portal.cli.installation import opened
from portal.cli.output import as_json, counted, print_json
from portal.extensions import db
from portal.models import AuditEvent

REFUSAL = "insert-only"
"""What the trigger says; another reason, such as a locked database, proves nothing."""


@dataclass(frozen=True)
class Findings:
    """What the log looks like: how many rows, which numbers, and whether the database protects them."""

    events: int
    last_id: int
    highest_given: int
    sealed: int
    refuses_change: bool
    refuses_removal: bool

    @property
    def missing(self) -> int:
        """Numbers that were given and have no row."""
        return self.highest_given - self.events


@click.group
def audit() -> None:
    """Look at the log of events."""


@audit.command("verify")
@as_json
def verify_log(as_json: bool) -> None:
    """Check that no row of the log is missing and that the database lets nobody change or remove one.

    The log is not sealed yet: whoever can write to the database past the portal could replace it whole.
    """
    with opened():
        findings = _examine()
        problem = _problem(findings, may_have_gaps=_may_have_gaps())
    if as_json:
        print_json(asdict(findings) | {"missing": findings.missing, "problem": problem})
    elif problem is None:
        click.echo(_report(findings))
    if problem is not None:
        raise Refusal(problem)


def _examine() -> Findings:
    count, last = db.session.execute(select(func.count(), func.coalesce(func.max(AuditEvent.id), 0))).one()
    sealed = select(func.count()).where(or_(AuditEvent.seal_seq.is_not(None), AuditEvent.row_hash.is_not(None)))
    newest = AuditEvent.id == last
    return Findings(
        events=count,
        last_id=last,
        highest_given=_highest_given(),
        sealed=db.session.scalars(sealed).one(),
        refuses_change=_is_refused(update(AuditEvent).where(newest).values(action=AuditEvent.action)),
        refuses_removal=_is_refused(delete(AuditEvent).where(newest)),
    )


def _problem(findings: Findings, *, may_have_gaps: bool) -> str | None:
    if findings.missing and not may_have_gaps:
        return f"{counted(findings.missing, 'row', 'rows')} of the log {_are(findings.missing)} missing."
    if findings.sealed:
        return f"{counted(findings.sealed, 'row carries', 'rows carry')} a seal this version of the portal never made."
    if findings.events and not (findings.refuses_change and findings.refuses_removal):
        return "The database lets rows of the log be changed or removed: a trigger is gone."
    return None


def _report(findings: Findings) -> str:
    lines = [f"{counted(findings.events, 'event', 'events')}, the last one number {findings.last_id:,}."]
    if findings.missing:
        lines.append(
            f"{findings.missing:,} numbers have no row, as PostgreSQL leaves them when a change is taken back."
        )
    else:
        lines.append("None is missing.")
    if findings.events:
        lines.append("The database refuses to change or remove any.")
    lines.append("The log is not sealed yet: this does not show what somebody did who replaced the whole database.")
    return "\n".join(lines)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _may_have_gaps() -> bool:
    """PostgreSQL counts on when a change is taken back; SQLite takes the number back with it."""
    return db.engine.dialect.name == "postgresql"


def _highest_given() -> int:
    statement = "SELECT seq FROM sqlite_sequence WHERE name = 'audit_events'"
    if db.engine.dialect.name == "postgresql":
        statement = "SELECT last_value FROM pg_sequences WHERE sequencename = 'audit_events_id_seq'"
    return db.session.scalar(text(statement)) or 0


def _is_refused(statement: Update | Delete) -> bool:
    """Try it, in a transaction that is taken back whatever happens."""
    with db.engine.connect() as connection, connection.begin() as attempt:
        try:
            connection.execute(statement)
        except DBAPIError as problem:
            return REFUSAL in str(problem.orig)
        finally:
            attempt.rollback()
    return False
