"""A distribution of very many files: how long its dry run takes, and how fast its files are filed."""

from collections.abc import Callable
from datetime import UTC
from itertools import islice
from statistics import median
from time import perf_counter

from sqlalchemy import insert, select

from benchmarks.house import House
from benchmarks.settings import DATABASE, FILES, ROUNDS
from portal import audit, catalog
from portal.extensions import db, transaction
from portal.models import Blob, Upload, User, db_later
from portal.uploads import distributing

FILED = 500
"""So many files are filed to know how fast that is."""
CHUNK = 5000


def measure(house: House) -> None:
    """Dry runs by lines and by a pattern, filing, and the dry run of the next month."""
    with house.app.app_context():
        _add_people(FILES)
        payroll = catalog.add_category(None, None, "payroll").id
        lines = "filename,person,title\n" + "".join(
            f"{number}_march.pdf,{number},Payslip of March\n" for number in range(FILES)
        )
        by_lines = _begin(payroll, "march", FILES)
        distributing.set_lines(None, by_lines, lines.encode(), UTC)
        by_pattern = _begin(payroll, "april", FILES)
        distributing.set_pattern(None, by_pattern, "{reference}_*.pdf")
        figures = [
            _dry("by lines", by_lines),
            _dry("by a pattern", by_pattern),
            _filing(payroll),
            _dry(f"by lines, with {FILED:,} of the categories there", by_lines),
        ]
    print(f"\n## distributing\n\n{DATABASE}, {FILES:,} files for as many people.\n")
    print("\n".join(f"* {figure}" for figure in figures), flush=True)


def _dry(words: str, distribution_id: int) -> str:
    seconds = median(_timed(lambda: distributing.plan_distribution(None, distribution_id).seal) for _ in range(ROUNDS))
    return f"dry run {words}: {seconds:.2f} s"


def _filing(payroll: int) -> str:
    made = _begin(payroll, "march", FILED)
    distributing.set_pattern(None, made, "{reference}_*.pdf")
    seal = distributing.plan_distribution(None, made).seal
    distributing.start_distribution(None, made, seal)
    seconds = _timed(lambda: distributing.finish(made))
    return f"filing {FILED:,} files, each into a new category: {FILED / seconds:.0f} a second"


def _timed(work: Callable[[], object]) -> float:
    db.session.remove()
    began = perf_counter()
    work()
    return perf_counter() - began


def _begin(category_id: int, month: str, files: int) -> int:
    """A distribution with so many files, put in past the verbs: their bytes are nowhere."""
    made = distributing.add_distribution(None, category_id, f"Payslips of {month}", wants_notice=False).id
    with transaction() as session:
        expires_at = session.scalars(select(db_later(86_400))).one()
        for start in range(0, files, CHUNK):
            numbers = range(start, min(start + CHUNK, files))
            blobs = [{"sha256": f"{made:032x}{number:032x}", "size": 1, "crc32": 0} for number in numbers]
            ids = session.scalars(insert(Blob).returning(Blob.id, sort_by_parameter_order=True), blobs).all()
            session.execute(
                insert(Upload), [_upload(made, month, *one, expires_at) for one in zip(numbers, ids, strict=True)]
            )
    return made


def _upload(distribution_id: int, month: str, number: int, blob_id: int, expires_at: object) -> dict[str, object]:
    return {
        "distribution_id": distribution_id,
        "filename": f"{number}_{month}.pdf",
        "size": 1,
        "received": 1,
        "facts": {"content_type": "application/pdf"},
        "state": "arrived",
        "temp": "",
        "blob_id": blob_id,
        "expires_at": expires_at,
    }


def _add_people(count: int) -> None:
    """So many people, each known by a number."""
    rows = ({"email": f"paid{n}@example.org", "name": f"Paid {n}", "reference": str(n)} for n in range(count))
    with transaction() as session:
        while some := list(islice(rows, CHUNK)):
            whole = [
                row | {"email_key": row["email"], "name_key": row["name"].casefold(), "is_admin": False} for row in some
            ]
            added = session.execute(insert(User).returning(User.id, User.name, User.email), whole).all()
            audit.introduce_many([(row.id, row.name, row.email) for row in added])
