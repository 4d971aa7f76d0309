"""Patterns of what an import leaves out."""

import pytest

from portal.errors import BadInput
from portal.uploads import Ignored


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.tmp", "a.tmp"),
        ("*.tmp", "deep/down/a.tmp"),
        ("/a.tmp", "a.tmp"),
        ("drafts/", "drafts/a.pdf"),
        ("drafts/", "deep/drafts/a.pdf"),
        ("old/**", "old/deep/a.pdf"),
        ("a[0-9].pdf", "a1.pdf"),
    ],
)
def test_a_pattern_means_files_and_what_is_below_folders(pattern: str, path: str) -> None:
    assert Ignored([pattern]).has(path)


@pytest.mark.parametrize(
    ("pattern", "path"), [("*.tmp", "a.tmp.pdf"), ("/a.tmp", "deep/a.tmp"), ("drafts/", "drafts"), ("# a", "# a")]
)
def test_a_pattern_means_nothing_else(pattern: str, path: str) -> None:
    assert not Ignored([pattern]).has(path)


def test_the_last_pattern_that_fits_decides() -> None:
    ignored = Ignored(["*.pdf", "!keep.pdf"])
    assert (ignored.has("a.pdf"), ignored.has("keep.pdf")) == (True, False)


def test_a_folder_is_left_out_with_its_category() -> None:
    assert Ignored(["drafts/"]).has_folder("deep/drafts")


@pytest.mark.parametrize("pattern", ["a\nb", "a\0b", "!"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(BadInput):
        Ignored([pattern])


def test_far_too_many_are_refused() -> None:
    with pytest.raises(BadInput):
        Ignored(["*.tmp"] * 1001)
