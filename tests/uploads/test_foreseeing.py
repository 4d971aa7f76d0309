"""A dry run: what it says is what the import then comes to, and it changes nothing."""

from dataclasses import asdict
from pathlib import Path

import pytest

from portal.catalog import find_category
from portal.errors import BadInput
from portal.settings import Settings
from portal.uploads import FileLine, Ignored, Options, foresee_import, import_directory, index_directory
from tests import makers
from tests.databases import SQLITE_ONLY
from tests.integrity.stock import files_below, rows_of

pytestmark = [pytest.mark.usefixtures("context")]
IN_PLACE = pytest.mark.parametrize("in_place", [False, True])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with two documents, and something that is none."""
    made = tmp_path / "folder"
    (made / "sub").mkdir(parents=True)
    (made / "a.txt").write_text("a")
    (made / "sub" / "b.txt").write_text("b")
    (made / ".hidden").write_text("c")
    return made


def take_in(folder: Path, *, in_place: bool, options: Options | None = None) -> dict[str, object]:
    take = index_directory if in_place else import_directory
    return asdict(take(None, folder, "into/here", options=options or Options()))


def foresee(folder: Path, *, in_place: bool, options: Options | None = None) -> dict[str, object]:
    makers.release()
    return asdict(foresee_import(folder, "into/here", options or Options(), in_place=in_place))


@IN_PLACE
def test_it_foresees_a_first_import(folder: Path, in_place: bool) -> None:
    foreseen = foresee(folder, in_place=in_place)
    assert foreseen["added"] == 2
    assert take_in(folder, in_place=in_place) == foreseen


@IN_PLACE
def test_it_foresees_what_changed(folder: Path, in_place: bool) -> None:
    take_in(folder, in_place=in_place)
    (folder / "a.txt").write_text("other")
    (folder / "c.txt").write_text("c")
    (folder / "sub" / "b.txt").unlink()

    foreseen = foresee(folder, in_place=in_place)

    assert (foreseen["versioned"], foreseen["added"], foreseen["vanished"]) == (1, 1, 1 if in_place else 0)
    assert take_in(folder, in_place=in_place) == foreseen


@SQLITE_ONLY
@IN_PLACE
def test_a_file_of_the_same_size_is_read_to_tell(folder: Path, in_place: bool) -> None:
    take_in(folder, in_place=in_place)
    (folder / "a.txt").write_text("z")
    assert foresee(folder, in_place=in_place)["versioned"] == 1


@IN_PLACE
def test_it_changes_nothing(folder: Path, settings: Settings, in_place: bool) -> None:
    before, files = rows_of(settings.database_url), files_below(settings.storage / "blobs")

    foresee(folder, in_place=in_place)

    assert find_category("into") is None
    assert rows_of(settings.database_url) == before
    assert files_below(settings.storage / "blobs") == files


@SQLITE_ONLY
def test_it_refuses_what_an_import_refuses(folder: Path) -> None:
    with pytest.raises(BadInput):
        foresee(folder / "missing", in_place=False)
    with pytest.raises(BadInput):
        foresee_import(folder, "into/../here", Options(), in_place=False)


@SQLITE_ONLY
@IN_PLACE
def test_patterns_leave_out_files_and_folders(folder: Path, in_place: bool) -> None:
    options = Options(ignored=Ignored(["sub/"]))
    foreseen = foresee(folder, in_place=in_place, options=options)
    assert (foreseen["added"], foreseen["ignored"]) == (1, 2)
    assert take_in(folder, in_place=in_place, options=options) == foreseen
    assert find_category("into/here/sub") is None


@SQLITE_ONLY
def test_patterns_of_a_source_are_kept_until_others_are_given(folder: Path) -> None:
    take_in(folder, in_place=True, options=Options(ignored=Ignored(["sub/"])))
    assert take_in(folder, in_place=True)["ignored"] == 2
    assert take_in(folder, in_place=True, options=Options(ignored=Ignored(["*.log"])))["added"] == 1


@SQLITE_ONLY
def test_what_is_left_out_from_now_on_goes_into_the_trash(folder: Path) -> None:
    take_in(folder, in_place=True)
    assert take_in(folder, in_place=True, options=Options(ignored=Ignored(["sub/"])))["vanished"] == 1


@SQLITE_ONLY
@IN_PLACE
def test_a_line_is_told_for_each_file(folder: Path, in_place: bool) -> None:
    take_in(folder, in_place=in_place)
    (folder / "c.txt").write_text("c")
    lines: list[FileLine] = []

    take_in(folder, in_place=in_place, options=Options(tell=lines.append))

    told = sorted((line.path, line.outcome) for line in lines)
    assert told == [("a.txt", "unchanged"), ("c.txt", "added"), ("sub/b.txt", "unchanged")]
    assert all(line.document_id for line in lines)


@SQLITE_ONLY
def test_a_source_that_is_empty_all_at_once_is_left_alone_by_a_cautious_look(folder: Path) -> None:
    take_in(folder, in_place=True)
    (folder / "a.txt").unlink()
    (folder / "sub" / "b.txt").unlink()

    report = index_directory(None, folder, "into/here", is_cautious=True)

    assert (report.vanished, len(report.problems)) == (0, 1)
    assert "not mounted" in report.problems[0]
    assert take_in(folder, in_place=True)["vanished"] == 2
