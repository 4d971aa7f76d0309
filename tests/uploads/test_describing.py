"""Metadata of an import: said of new documents and of those there are, checked whole before anything is done."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.catalog import change_document, ensure_category, list_tags, list_values, trash_document
from portal.errors import BadInput
from portal.extensions import db, transaction
from portal.models import AuditEvent, CategoryField, Document
from portal.settings import Settings
from portal.uploads import Options, Report, foresee_import, import_directory, index_directory, planning, read_metadata
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.integrity.stock import rows_of

pytestmark = pytest.mark.usefixtures("context")
WAYS = pytest.mark.parametrize("in_place", [False, True])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with three documents."""
    made = tmp_path / "folder"
    (made / "sub").mkdir(parents=True)
    for name in ("a.pdf", "b.pdf", "sub/c.pdf"):
        (made / name).write_text(f"%PDF-1.7 {name}")
    return made


def take_in(folder: Path, text: str, *, in_place: bool = False) -> Report:
    options = Options(metadata=read_metadata(text.encode()))
    return (index_directory if in_place else import_directory)(None, folder, "into", options=options)


def foresee(folder: Path, text: str, *, in_place: bool = False) -> Report:
    makers.release()
    return foresee_import(folder, "into", Options(metadata=read_metadata(text.encode())), in_place=in_place)


def find(filename: str) -> Document:
    makers.release()
    return db.session.scalars(select(Document).where(Document.filename == filename)).one()


def ask_for(path: str, name: str, kind: str = "text") -> CategoryField:
    category = ensure_category(None, path)
    with transaction() as session:
        field = CategoryField(category_id=category.id, name=name, name_key=name.casefold(), kind=kind)
        session.add(field)
    return field


@WAYS
def test_a_new_document_is_what_its_row_says(folder: Path, in_place: bool) -> None:
    ada = makers.person("Ada")
    ask_for("into", "Invoice", "number")
    text = (
        "path,title,description,tags,reference,responsible,published,expires,invoice\n"
        f"sub/c.pdf,Third,About,red;Old paper,F-1,{ada.email},2026-02-01,2026-02-28,17.50\n"
    )

    report = take_in(folder, text, in_place=in_place)

    made = find("c.pdf")
    assert (report.added, report.described) == (3, 1)
    assert (made.title, made.description, made.reference, made.responsible_id) == ("Third", "About", "F-1", ada.id)
    assert made.published_at == datetime(2026, 2, 1, tzinfo=UTC)
    assert made.expires_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert [tag.name for tag in list_tags([made.id])[made.id]] == ["Old paper", "red"]
    assert [value for _, value in list_values([made.id])[made.id]] == ["17.5"]


@WAYS
def test_a_second_import_says_it_of_what_is_there_and_only_what_is_new(folder: Path, in_place: bool) -> None:
    take_in(folder, "path\n", in_place=in_place)
    foreseen = foresee(folder, "path,title\na.pdf,First\n", in_place=in_place)
    report = take_in(folder, "path,title\na.pdf,First\n", in_place=in_place)
    again = take_in(folder, "path,title\na.pdf,First\nb.pdf,Second\n", in_place=in_place)
    assert (foreseen.described, report.described, again.described) == (1, 1, 1)
    assert (find("a.pdf").title, find("b.pdf").title) == ("First", "Second")


@SQLITE_ONLY
def test_an_empty_cell_takes_nothing_away(folder: Path) -> None:
    take_in(folder, "path,title,reference\na.pdf,First,F-1\n")
    take_in(folder, "path,title,reference\na.pdf,,\n")
    assert (find("a.pdf").title, find("a.pdf").reference) == ("First", "F-1")


@SQLITE_ONLY
def test_a_row_may_keep_a_document_a_draft(folder: Path) -> None:
    take_in(folder, "path,published\na.pdf,draft\n")
    assert find("a.pdf").published_at is None
    assert find("b.pdf").published_at is not None


@SQLITE_ONLY
def test_documents_that_were_renamed_and_moved_are_described_where_they_are(folder: Path) -> None:
    take_in(folder, "path\n", in_place=True)
    change_document(None, find("a.pdf").id, filename="renamed.pdf")
    take_in(folder, "path,title\na.pdf,First\n", in_place=True)
    assert find("renamed.pdf").title == "First"


@SQLITE_ONLY
def test_what_somebody_put_into_the_trash_is_left_there(folder: Path) -> None:
    take_in(folder, "path\n", in_place=True)
    trash_document(None, find("a.pdf").id)
    assert take_in(folder, "path,title\na.pdf,First\n", in_place=True).described == 0


@SQLITE_ONLY
def test_a_field_of_a_category_that_is_still_to_be_made_is_that_of_the_one_above(folder: Path) -> None:
    ask_for("into", "Number")
    take_in(folder, "path,number\nsub/c.pdf,7\n")
    assert [value for _, value in list_values([find("c.pdf").id])[find("c.pdf").id]] == ["7"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,title\nmissing.pdf,T\n", "Line 2: there is no missing.pdf here"),
        ("path,colour\na.pdf,red\n", "Line 2: into does not ask for “colour”"),
        ("path,responsible\na.pdf,nobody@example.org\n", "Line 2: Nobody with an open account"),
        ("path,when\na.pdf,soon\n", "Line 2: “soon” as When: This is not a date"),
        ("path,published,expires\na.pdf,2026-02-01,2026-01-01\n", "Line 2: A document cannot expire before"),
        (f"path,title\na.pdf,{'x' * 301}\n", "Line 2: A title has 1 to 300"),
        (f"path,tags\na.pdf,{'x' * 61}\n", "Line 2: A tag has 1 to 60"),
    ],
)
@SQLITE_ONLY
def test_a_row_that_cannot_be_keeps_everything_as_it_was(
    folder: Path, settings: Settings, text: str, words: str
) -> None:
    ask_for("into", "When", "date")
    before = rows_of(settings.database_url)
    for attempt in (take_in, foresee):
        with pytest.raises(BadInput) as caught:
            attempt(folder, text)
        assert words in caught.value.sentence
    assert rows_of(settings.database_url) == before


@SQLITE_ONLY
def test_the_file_itself_is_no_document_when_it_lies_beside_them(folder: Path) -> None:
    file = folder / "metadata.csv"
    file.write_text("path,title\na.pdf,First\n")
    options = Options(metadata=read_metadata(file.read_bytes()), metadata_file=file)
    assert import_directory(None, folder, "into", options=options).added == 3


def test_what_was_taken_before_a_break_is_described_by_the_next_import(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "BATCH", 1)
    text = "path,title\na.pdf,First\nb.pdf,Second\n"

    def cut(done: int, _: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_directory(None, folder, "into", progress=cut)
    report = take_in(folder, text)

    assert (report.resumed, report.described) == (1, 2)
    assert find("a.pdf").title == "First"


@SQLITE_ONLY
def test_the_log_says_what_the_metadata_changed(folder: Path) -> None:
    take_in(folder, "path\n")
    take_in(folder, "path,title\na.pdf,First\n")
    makers.release()
    last = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
    assert (last.action, last.object_label) == ("document.changed", "First")
