"""A category with many documents is moved while others go on reading and writing: how long do they wait at most?"""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import cycle
from time import perf_counter

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from benchmarks.house import House
from benchmarks.library import Library, opened
from benchmarks.settings import DATABASE, DOCUMENTS, ROUNDS
from benchmarks.shelves import TENTH
from portal import catalog
from portal.errors import NotFound
from portal.extensions import db
from portal.models import Category, Document

WANTED = min(10_000, DOCUMENTS // 10)
"""About so many documents are in what is moved."""


def measure(house: House) -> None:
    """Move it to the top and back again, some times; the longest that anybody else waited meanwhile."""
    with opened(house.work, DOCUMENTS) as library, library.app.app_context():
        shelf_id, parent_id, count = _chosen()
        other = db.session.scalars(select(Document.id).where(Document.category_id == 2).limit(1)).one()
        db.session.remove()
        waits = {"a page": 0.0, "a document put into the trash or brought back": 0.0}
        moves: list[float] = []
        others = (_visitor(library), _changer(library, other))
        for _ in range(ROUNDS):
            for parent in (None, parent_id):
                found = _beside(partial(catalog.move_category, None, shelf_id, parent), others)
                moves.append(found[0])
                waits = {name: max(worst, seen) for (name, worst), seen in zip(waits.items(), found[1], strict=True)}
        with suppress(NotFound):  # it may have been brought back last
            catalog.restore_document(None, other)
    print(
        f"\n## moving\n\n{DATABASE}, {DOCUMENTS:,} documents: a category with {count:,} of them was moved "
        f"{len(moves)} times, which took {max(moves) * 1000:.0f} ms at most. Meanwhile, in the same process, the "
        "longest "
        + " and the longest ".join(f"{name} took was {seconds * 1000:.0f} ms" for name, seconds in waits.items())
        + ".",
        flush=True,
    )


def _chosen() -> tuple[int, int, int]:
    """A category that is not at the top, its parent, and how many documents are in it and below: nearest to wanted."""
    below = aliased(Category)
    count = func.sum(below.document_count)
    statement = (
        select(Category.id, Category.parent_id, count)
        .join(below, below.lineage.startswith(Category.lineage))
        .where(Category.parent_id.is_not(None))
        .group_by(Category.id, Category.parent_id)
        .order_by(func.abs(count - WANTED))
        .limit(1)
    )
    shelf_id, parent_id, documents = db.session.execute(statement).one()
    return shelf_id, parent_id or 0, int(documents)


def _visitor(library: Library) -> Callable[[], object]:
    client = library.app.test_client()
    client.set_cookie("portal", library.tokens[TENTH])
    return lambda: client.get("/documents")


def _changer(library: Library, document_id: int) -> Callable[[], object]:
    changes = cycle((catalog.trash_document, catalog.restore_document))

    def change() -> None:
        with library.app.app_context():
            next(changes)(None, document_id)

    return change


def _beside(work: Callable[[], object], others: tuple[Callable[[], object], ...]) -> tuple[float, list[float]]:
    """How long the work took, and the longest of each of the others, which are done over and over meanwhile."""
    stop = threading.Event()
    worst = [0.0] * len(others)

    def repeat(place: int) -> None:
        while not stop.is_set():
            worst[place] = max(worst[place], _seconds(others[place]))

    threads = [threading.Thread(target=repeat, args=(place,)) for place in range(len(others))]
    for thread in threads:
        thread.start()
    taken = _seconds(work)
    stop.set()
    for thread in threads:
        thread.join()
    return taken, worst


def _seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
