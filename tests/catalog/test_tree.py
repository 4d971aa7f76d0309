"""Random histories of the tree come to what a plain model of it comes to, one after the other and all at once."""

from dataclasses import dataclass, field
from itertools import count

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from portal.actors import Actor
from portal.catalog import (
    add_category,
    bulk_edits,
    change_category,
    find_category,
    find_moved,
    get_category,
    merge_category,
    move_category,
    put_document,
    restore_category,
    restore_document,
    seal_category,
    trash_category,
    trash_document,
)
from portal.catalog.bulk_edits import Changes
from portal.errors import BadInput, CategoryNotFound, Conflict, DocumentNotFound, NameTaken, PortalError
from portal.extensions import db, transaction
from portal.integrity.rows import category_problems
from portal.models import Category, CategoryAlias, Document, SearchChange, Version
from tests import makers
from tests.makers import content_of
from tests.properties import examples

VERBS = ("add", "add", "put", "put", "rename", "move", "move", "merge", "trash", "restore", "seal", "drop", "raise")
STEPS = st.lists(
    st.tuples(st.sampled_from(VERBS), st.integers(0, 9), st.integers(0, 9), st.sampled_from("abc")), max_size=25
)
REFUSALS = (BadInput, CategoryNotFound, Conflict, DocumentNotFound, NameTaken)


@dataclass
class Node:
    """A category of the model; ``gone`` is when it went into the trash, by the number of the step."""

    parent: int | None
    name: str
    is_sealed: bool = False
    gone: int | None = None


@dataclass
class Paper:
    """A document of the model."""

    shelf: int
    name: str
    gone: int | None = None


@dataclass
class Tree:
    """The whole model, written the slow way; what refuses raises Conflict whatever the portal calls it."""

    nodes: dict[int, Node] = field(default_factory=dict)
    papers: dict[int, Paper] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    steps: "count[int]" = field(default_factory=lambda: count(1))

    def path(self, one: int) -> str:
        node = self.nodes[one]
        return f"{self.path(node.parent)}/{node.name}" if node.parent is not None else node.name

    def chain(self, one: int) -> list[int]:
        parent = self.nodes[one].parent
        return [*(self.chain(parent) if parent is not None else []), one]

    def below(self, one: int) -> list[int]:
        return [other for other in self.nodes if one in self.chain(other)]

    def live(self) -> dict[str, int]:
        return {self.path(one): one for one, node in self.nodes.items() if node.gone is None}

    def children(self, one: int | None) -> dict[str, int]:
        return {node.name: other for other, node in self.nodes.items() if node.parent == one and node.gone is None}

    def require(self, is_so: bool) -> None:
        if not is_so:
            raise Conflict

    def require_live(self, *ones: int | None) -> None:
        self.require(all(one is None or (one in self.nodes and self.nodes[one].gone is None) for one in ones))

    def remember(self, one: int) -> None:
        for other in self.below(one):
            if self.nodes[other].gone is None:
                self.aliases[self.path(other)] = other

    def settle(self) -> None:
        for path in self.live():
            self.aliases.pop(path, None)

    def add(self, one: int, parent: int | None, name: str) -> None:
        self.nodes[one] = Node(parent, name)
        self.settle()

    def rename(self, one: int, name: str) -> None:
        self.require_live(one)
        node = self.nodes[one]
        if node.name != name:
            self.require(name not in self.children(node.parent))
            self.remember(one)
            node.name = name
            self.settle()

    def move(self, one: int, parent: int | None) -> None:
        self.require_live(one, parent)
        node = self.nodes[one]
        if node.parent != parent:
            self.require(parent not in self.below(one) and node.name not in self.children(parent))
            self.remember(one)
            node.parent = parent
            self.settle()

    def merge(self, one: int, into: int) -> None:
        self.require_live(one, into)
        self.require(into not in self.below(one))
        self.remember(one)
        self.pour(one, into, one)
        self.settle()

    def pour(self, one: int, into: int, top: int) -> None:
        theirs = {name: other for name, other in self.children(into).items() if other != top}
        for name, child in self.children(one).items():
            if name in theirs:
                self.pour(child, theirs[name], top)
            else:
                self.nodes[child].parent = into
        for node in self.nodes.values():
            node.parent = into if node.parent == one else node.parent
        taken = self.names(into) | self.names(one)
        for paper in self.papers.values():
            if paper.shelf == one:
                if paper.gone is None and paper.name in self.names(into):
                    paper.name = free(paper.name, taken)
                    taken.add(paper.name)
                paper.shelf = into
        self.aliases = {path: into if other == one else other for path, other in self.aliases.items()}
        del self.nodes[one]

    def names(self, one: int) -> set[str]:
        return {paper.name for paper in self.papers.values() if paper.shelf == one and paper.gone is None}

    def trash(self, one: int) -> None:
        self.require_live(one)
        self.remember(one)
        step, going = next(self.steps), [other for other in self.below(one) if self.nodes[other].gone is None]
        for other in going:
            self.nodes[other].gone = step
        for paper in self.papers.values():
            if paper.shelf in going and paper.gone is None:
                paper.gone = step

    def restore(self, one: int) -> None:
        node = self.nodes.get(one)
        self.require(node is not None and node.gone is not None)
        assert node is not None
        self.require_live(node.parent)
        if node.name in self.children(node.parent):
            node.name = free(node.name, set(self.children(node.parent)))
        back = [other for other in self.below(one) if self.nodes[other].gone == node.gone]
        for paper in self.papers.values():
            paper.gone = None if paper.shelf in back and paper.gone == node.gone else paper.gone
        for other in back:
            self.nodes[other].gone = None
        self.settle()


def free(name: str, taken: set[str]) -> str:
    return next(numbered for number in count(2) if (numbered := f"{name} ({number})") not in taken)


def step(tree: Tree, verb: str, one: int, other: int, name: str) -> None:
    """Do it in both; both refuse or neither does."""
    shelves, papers = sorted(tree.nodes) or [0], sorted(tree.papers) or [0]
    shelf, target, paper = shelves[one % len(shelves)], shelves[other % len(shelves)], papers[one % len(papers)]
    if verb in ("add", "put"):
        make(tree, verb, None if verb == "add" and other == 9 else shelf, name)
        return
    model, portal = {
        "rename": (lambda: tree.rename(shelf, name), lambda: rename(shelf, name)),
        "move": (lambda: tree.move(shelf, target), lambda: move_category(None, shelf, target)),
        "merge": (lambda: tree.merge(shelf, target), lambda: merge_category(None, shelf, target)),
        "trash": (lambda: tree.trash(shelf), lambda: trash_category(None, shelf)),
        "restore": (lambda: tree.restore(shelf), lambda: restore_category(None, shelf)),
        "seal": (lambda: seal(tree, shelf, other > 4), lambda: seal_category(None, shelf, other > 4)),
        "drop": (lambda: drop(tree, paper), lambda: trash_document(None, paper)),
        "raise": (lambda: lift(tree, paper), lambda: restore_document(None, paper)),
    }[verb]
    assert refuses(model) == refuses(portal), (verb, shelf, target, paper, name)


def refuses(attempt: object) -> bool:
    assert callable(attempt)
    try:
        attempt()
    except REFUSALS:
        return True
    return False


def rename(shelf: int, name: str) -> None:
    change_category(None, shelf, name=name, description="")


def make(tree: Tree, verb: str, shelf: int | None, name: str) -> None:
    """Categories and documents get their ids from the portal."""
    try:
        if verb == "add":
            tree.add(add_category(None, shelf, name).id, shelf, name)
        else:
            assert shelf is not None
            outcome = put_document(None, shelf, name, content_of(name.encode()))
            if outcome.kind == "added":
                tree.papers[outcome.document_id] = Paper(shelf, name)
    except REFUSALS:
        is_there = shelf is None or (shelf in tree.nodes and tree.nodes[shelf].gone is None)
        assert not is_there or (verb == "add" and name in tree.children(shelf))


def seal(tree: Tree, shelf: int, is_sealed: bool) -> None:
    tree.require_live(shelf)
    tree.nodes[shelf].is_sealed = is_sealed


def drop(tree: Tree, one: int) -> None:
    tree.require(one in tree.papers and tree.papers[one].gone is None)
    tree.papers[one].gone = next(tree.steps)


def lift(tree: Tree, one: int) -> None:
    paper = tree.papers.get(one)
    tree.require(paper is not None and paper.gone is not None)
    assert paper is not None
    tree.require_live(paper.shelf)
    paper.name = free(paper.name, tree.names(paper.shelf)) if paper.name in tree.names(paper.shelf) else paper.name
    paper.gone = None


def check(tree: Tree) -> None:
    makers.release()
    assert list(category_problems()) == []
    rows = db.session.scalars(select(Category)).all()
    assert {row.id: (row.path, row.is_sealed, row.trashed_at is None) for row in rows} == {
        one: (tree.path(one), node.is_sealed, node.gone is None) for one, node in tree.nodes.items()
    }
    for row in rows:
        assert row.lineage == "/" + "".join(f"{one}/" for one in tree.chain(row.id))
        assert row.document_count == len(tree.names(row.id))
    papers = db.session.scalars(select(Document)).all()
    assert {row.id: (row.category_id, row.filename, row.trashed_at is None) for row in papers} == {
        one: (paper.shelf, paper.name, paper.gone is None) for one, paper in tree.papers.items()
    }
    assert dict(db.session.execute(select(CategoryAlias.path, CategoryAlias.category_id)).all()) == tree.aliases
    for path, leads_to in tree.aliases.items():
        found = find_moved(path)
        assert (found.id if found else None) == (leads_to if tree.nodes[leads_to].gone is None else None)
    assert all(find_category(path) is not None for path in tree.live())


def forget() -> None:
    """Start over in the same database."""
    with transaction() as session:
        session.execute(update(Document).values(current_version_id=None))
        for kind in (CategoryAlias, SearchChange, Version, Document):
            session.execute(delete(kind))
        for row in session.scalars(select(Category).order_by(Category.depth.desc())):
            session.delete(row)
            session.flush()


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("context")
@examples(12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_any_history_comes_to_what_the_model_comes_to(steps: list[tuple[str, int, int, str]]) -> None:
    forget()
    tree = Tree()
    for name in ("a", "b"):
        make(tree, "add", None, name)
    for verb, one, other, name in steps:
        step(tree, verb, one, other, name)
    check(tree)


def move_all(boss: Actor, shelf: int) -> int:
    """Move every document there is to one category; how many were chosen."""
    everything, wanted = db.session.scalars(select(Document.id)).all(), Changes(category_id=shelf)
    edit = bulk_edits.plan_selected(boss, everything)
    bulk_edits.choose_changes(boss, edit.id, wanted)
    bulk_edits.start_edit(boss, edit.id, wanted.seal)
    return len(everything)


@pytest.mark.timeout(120)
def test_moves_mergers_and_the_trash_all_at_once_leave_a_sound_tree_and_every_document(context: Flask) -> None:
    ids = [makers.category(path).id for path in ("a", "a/b", "a/b/c", "d", "d/b", "d/b/c", "e")]
    for number, one in enumerate(ids):
        put_document(None, one, f"{number % 3}.pdf", content_of(b"%d" % number))
    boss = makers.actor(makers.person("Ruth", is_admin=True))
    makers.release()
    for turn in range(4):
        one, two, three, four = (ids[(turn * 3 + step) % len(ids)] for step in (0, 2, 3, 5))
        outcomes = makers.at_once(
            context,
            lambda a=one, b=three: move_category(None, a, b).id,  # type: ignore[misc]
            lambda a=three, b=one: move_category(None, a, b).id,  # type: ignore[misc]
            lambda a=two, b=four: merge_category(None, a, b).id,  # type: ignore[misc]
            lambda a=four, b=two: merge_category(None, a, b).id,  # type: ignore[misc]
            lambda a=one: restore_category(None, trash_category(None, a).id).id,  # type: ignore[misc]
            lambda a=three: move_all(boss, a),  # type: ignore[misc]
            lambda a=two, t=turn: put_document(None, a, f"new{t}.pdf", content_of(b"x%d" % t)).number,  # type: ignore[misc]
        )
        makers.release()
        assert all(isinstance(outcome, int | PortalError) for outcome in outcomes), outcomes
        assert not any("deadlock" in str(outcome) for outcome in outcomes)
        assert list(category_problems()) == []
    there = db.session.scalars(select(Document.trashed_at)).all()
    assert len(there) >= len(ids)
    assert not any(there)
    assert all(get_category(row.id) for row in db.session.scalars(select(Category)))
