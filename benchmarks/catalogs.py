"""Lists and search in a catalog of very many documents and in one of a hundredth, for readers who see little and much.

Each figure is taken in this process: the statements of the core until their rows are there, the whole work of the core,
and the whole page by the test client of Flask, without a server.
"""

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from urllib.parse import quote

from flask import has_app_context
from flask.testing import FlaskClient
from sqlalchemy import Engine, event

from benchmarks.house import House
from benchmarks.library import Library, opened
from benchmarks.settings import DATABASE, DOCUMENTS, ROUNDS
from benchmarks.shelves import ADMINISTRATOR, PUBLISHER, READERS
from portal import catalog, search
from portal.actors import Actor
from portal.catalog.trash import list_places, list_trash
from portal.extensions import db, release_connection
from portal.models import Category, User

ROWS, SUGGESTED = 20, 8
"""As many as a page of what was found shows, and a list of what is suggested."""
DEPTH = 10_000
REPEATS = max(30, 5 * ROUNDS)
"""Fewer say nothing about a p95."""
WARM = 10
"""So often a connection has asked before: psycopg prepares what it asks for the fifth time, and five times later
PostgreSQL plans it no more. The first times of a new connection take several times as long."""
HEAD = (
    "| work | who sees | documents | SQL: median | p95 | core: median | p95 | page: median | p95 |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
NOBODY = "zzqqxxyyw"
LETTERS = (3, 5)
"""So much of a word has been typed when something is suggested."""


@dataclass(frozen=True)
class Task:
    """What is measured: in the core and, if there is an address, as a page."""

    name: str
    work: Callable[[], object]
    address: str = ""


def measure_lists(house: House) -> None:
    """Home, all documents, categories, trash; first page and deep down; tags where the words are indexed already."""
    _measure(house, "catalog", _lists, is_indexed=False)


def measure_search(house: House) -> None:
    """Words that are rare, medium and frequent, a tag, and what is suggested while one types."""
    _measure(house, "search", _searches, is_indexed=True)


def _measure(house: House, group: str, tasks: Callable[[Library, str], Iterator[Task]], *, is_indexed: bool) -> None:
    print(
        f"\n## {group}\n\nOn {DATABASE}, {REPEATS} times each after {WARM} times before, in one process, without a"
        f" server.\n\n{HEAD}",
        flush=True,
    )
    for documents in (DOCUMENTS // 100, DOCUMENTS):
        with opened(house.work, documents, is_indexed=is_indexed) as library:
            for reader in READERS:
                with library.app.app_context():
                    found = list(tasks(library, reader))
                for task in found:
                    _line(library, reader, task)


def _line(library: Library, reader: str, task: Task) -> None:
    with library.app.app_context(), _watched(db.engine) as asked:
        core = _figures(task.work, asked)
    # Outside of any context: a request would take the person over from it.
    client = library.app.test_client()
    client.set_cookie("portal", library.tokens[reader])
    page = _figures(lambda: _page(client, task.address), [])[2:] if task.address else ("–", "–")
    print("|", " | ".join((task.name, reader, f"{library.documents:,}", *core, *page)), "|", flush=True)


def _figures(work: Callable[[], object], asked: list[float]) -> tuple[str, ...]:
    """Median and p95 of what is ``asked`` of the database meanwhile, and of all, on a connection that is warm.

    The portal itself keeps nothing of what it read before.
    """
    statements, taken = [], []
    for _ in range(WARM + REPEATS):
        if has_app_context():
            release_connection()  # as at the end of a request
            db.session.remove()
        asked.clear()
        began = perf_counter()
        work()
        taken.append(perf_counter() - began)
        statements.append(sum(asked))
    return (*_shown(statements[WARM:]), *_shown(taken[WARM:]))


def _shown(seconds: list[float]) -> tuple[str, str]:
    return f"{statistics.median(seconds) * 1000:.1f} ms", f"{statistics.quantiles(seconds, n=20)[-1] * 1000:.1f} ms"


@contextmanager
def _watched(engine: Engine) -> Iterator[list[float]]:
    """How long each statement takes that is asked meanwhile, in seconds: psycopg has all rows by then."""
    taken: list[float] = []
    began: list[float] = []
    with ExitStack() as stack:
        for name, note in (
            ("before_cursor_execute", lambda *_: began.append(perf_counter())),
            ("after_cursor_execute", lambda *_: taken.append(perf_counter() - began.pop())),
        ):
            event.listen(engine, name, note)
            stack.callback(event.remove, engine, name, note)
        yield taken


def _page(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status)


def _lists(library: Library, reader: str) -> Iterator[Task]:
    who = library.actor(reader)
    since = db.session.get_one(User, who.user_id).visited_at
    deep = catalog.list_documents(who, limit=DEPTH).after
    shelf = _largest(who)
    db.session.expunge_all()

    def home() -> None:
        catalog.list_home(who, since, new=26, outdated=13, newest=37, unpublished=12)

    def category() -> None:
        catalog.list_documents(who, category=shelf, directly=True, only_out=True)
        catalog.list_unpublished(who, shelf)

    yield Task("home", home, "/")
    yield Task("all documents", lambda: catalog.list_documents(who), "/documents")
    if deep:
        far = f"all documents, page {DEPTH // 50}"
        yield Task(far, lambda: catalog.list_documents(who, after=deep), f"/documents?after={deep}")
    yield Task("a category", category, f"/categories/{quote(shelf.path)}")
    yield Task("tree at the side", lambda: catalog.look_round(who, shelf))
    if reader in (PUBLISHER, ADMINISTRATOR):
        yield Task("trash", lambda: list_trash(who), "/admin/trash")
        yield Task("categories something in the trash is from", lambda: list_places(who))
    if library.is_indexed:
        yield from _tags(library, who)


def _largest(who: Actor) -> Category:
    return max((category for category, _ in catalog.list_shown(who)), key=lambda category: category.document_count)


def _searches(library: Library, reader: str) -> Iterator[Task]:
    who = library.actor(reader)
    for kind, word in library.words.items():
        yield Task(f"{kind} word", partial(_found, who, word), f"/search?q={word}")
        yield Task(f"{kind} word, by relevance", partial(_found, who, word, by_relevance=True))
        for letters in LETTERS:
            name = f"suggested for the first {letters} letters of a {kind} word"
            yield Task(name, partial(catalog.suggest_documents, who, word[:letters], SUGGESTED))
    yield Task("a word that nobody has", lambda: _found(who, NOBODY), f"/search?q={NOBODY}")
    slip = library.words["rare"][:3] + "x" + library.words["rare"][4:]
    yield Task("a rare word with a slip", lambda: _found(who, slip))
    yield from _tags(library, who)


def _tags(library: Library, who: Actor) -> Iterator[Task]:
    yield Task("a tag", lambda: _found(who, f"tag:{library.tag}"), f"/search?q=tag:{library.tag}")
    yield Task("tags of the newest", lambda: catalog.list_tags_seen(who), "/tags")


def _found(who: Actor, text: str, *, by_relevance: bool = False) -> None:
    """What a page shows of it."""
    catalog.find_documents(who, search.parse(text), by_relevance=by_relevance, limit=ROWS)
