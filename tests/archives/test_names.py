"""Names inside a zip: safe wherever it is unpacked, and no two that any system takes for one."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.archives import CHECKSUMS, MANIFEST, unique_names
from portal.filenames import archive_name
from tests.properties import examples

many = examples(40)

AWKWARD = 'aAßsS\u017féE\u0301\u0308.. /\\:*?"<>|\x00\n\x7f\u202e\u200b\ufeff\u2126Ω\u03c9\u0130i\U0001f600\ud800'
components = st.one_of(
    st.sampled_from(["a", "A", "a.pdf", "A.PDF", "a (2).pdf", "con", "NUL.txt", "..", ".", "", "manifest.CSV"]),
    st.sampled_from(
        ["MANIFEST.csv", "SHA256SUMS", "sha256sums", "é.txt", "e\u0301.txt", "E\u0301.txt", "x" * 300 + ".pdf"]
    ),
    st.text(st.sampled_from(AWKWARD), max_size=8),
)
paths = st.lists(st.lists(components, min_size=1, max_size=4).map("/".join), max_size=12)


def folded(name: str) -> str:
    return normalize("NFC", name.casefold())


def folders_of(names: list[str]) -> set[str]:
    """All folders of these names and the folders they are in, folded."""
    parts = [folded(name).split("/")[:-1] for name in names]
    return {"/".join(part[:depth]) for part in parts for depth in range(1, len(part) + 1)}


@given(paths)
@many
def test_no_two_names_are_one_anywhere(given_paths: list[str]) -> None:
    names = [*unique_names(given_paths), MANIFEST, CHECKSUMS]
    assert len(names) == len(given_paths) + 2
    assert len({folded(name) for name in names}) == len(names)
    assert not {folded(name) for name in names} & folders_of(names)


@given(paths)
@many
def test_every_component_is_safe(given_paths: list[str]) -> None:
    for name in unique_names(given_paths):
        for component in name.split("/"):
            assert archive_name(component) == component
            assert 1 <= len(component.encode()) <= 255
            assert component.strip(". ") == component
            assert component.isprintable() or "\u200c" in component or "\u200d" in component
            assert not set(component) & set('\\:*?"<>|')


@given(paths)
@many
def test_a_longer_list_begins_with_the_same_names_when_it_brings_no_folders(given_paths: list[str]) -> None:
    names = unique_names(given_paths)
    assert unique_names(iter(given_paths)) == names
    assert unique_names([*given_paths, *given_paths])[: len(names)] == names


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("2018/feb/Ωmega report.pdf", "2018/feb/Ωmega report.pdf"),
        ("report.pdf", "report.pdf"),
        ("re\u0301sume\u0301.pdf", "résumé.pdf"),
        ("/etc/passwd", "etc/passwd"),
        ("../../etc/passwd", "etc/passwd"),
        ("a/../../b.pdf", "a/b.pdf"),
        ("./a//b.pdf", "a/b.pdf"),
        ("..\\..\\x.pdf", "_.._x.pdf"),
        ("C:\\Windows/x.pdf", "C__Windows/x.pdf"),
        ("CON/nul.txt", "_CON/_nul.txt"),
        ("COM¹.pdf", "_COM¹.pdf"),
        ("aux.", "_aux"),
        ("Q1. /report. .", "Q1/report"),
        ("a\x00b\u202e/c\x1bd.pdf", "ab/cd.pdf"),
        ("desktop.ini", "_desktop.ini"),
        ("", "document"),
        ("a/", "a/document"),
        ("a/..", "a/document"),
        ("x" * 300 + "/" + "é" * 300 + ".pdf", "x" * 200 + "/" + "é" * 98 + ".pdf"),
    ],
)
def test_a_path_becomes_a_safe_name(path: str, expected: str) -> None:
    assert unique_names([path]) == [expected]


@pytest.mark.parametrize(
    ("given_paths", "expected"),
    [
        (["a.pdf", "a.pdf", "a.pdf"], ["a.pdf", "a (2).pdf", "a (3).pdf"]),
        (["a.pdf", "A.PDF"], ["a.pdf", "A (2).PDF"]),
        (["A.PDF", "a.pdf"], ["A.PDF", "a (2).pdf"]),
        (["é.pdf", "e\u0301.pdf", "É.pdf"], ["é.pdf", "é (2).pdf", "É (3).pdf"]),
        (["Straße", "STRASSE"], ["Straße", "STRASSE (2)"]),
        (["a:b.pdf", "a?b.pdf"], ["a_b.pdf", "a_b (2).pdf"]),
        (["con", "_con"], ["_con", "_con (2)"]),
        (["x/a.pdf", "X/a.pdf", "y/a.pdf"], ["x/a.pdf", "X/a (2).pdf", "y/a.pdf"]),
        (["a (2).pdf", "a.pdf", "a.pdf"], ["a (2).pdf", "a.pdf", "a (3).pdf"]),
        (["b.tar.gz", "b.tar.gz"], ["b.tar.gz", "b (2).tar.gz"]),
    ],
)
def test_of_equal_names_the_later_one_gets_a_number(given_paths: list[str], expected: list[str]) -> None:
    assert unique_names(given_paths) == expected


@pytest.mark.parametrize(
    ("given_paths", "expected"),
    [
        (["a", "a/b"], ["a (2)", "a/b"]),
        (["a/b", "A"], ["a/b", "A (2)"]),
        (["a/b/c", "a/B"], ["a/b/c", "a/B (2)"]),
        (["a (2)/x", "a/x", "a"], ["a (2)/x", "a/x", "a (3)"]),
    ],
)
def test_a_document_gives_way_to_a_folder(given_paths: list[str], expected: list[str]) -> None:
    assert unique_names(given_paths) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("MANIFEST.csv", "MANIFEST (2).csv"),
        ("manifest.CSV", "manifest (2).CSV"),
        ("SHA256SUMS", "SHA256SUMS (2)"),
        ("SHA256SUMS/a", "SHA256SUMS (2)/a"),
        ("manifest.csv/b/a", "manifest (2).csv/b/a"),
        ("a/MANIFEST.csv", "a/MANIFEST.csv"),
        ("a/SHA256SUMS/b", "a/SHA256SUMS/b"),
    ],
)
def test_nothing_else_is_called_like_the_texts(path: str, expected: str) -> None:
    assert unique_names([path]) == [expected]


def test_a_long_name_keeps_its_extension_beside_the_number() -> None:
    names = unique_names(["x" * 300 + ".pdf"] * 3)
    assert names == ["x" * 196 + ".pdf", "x" * 192 + " (2).pdf", "x" * 192 + " (3).pdf"]


def test_a_crowd_of_one_name_is_numbered_through() -> None:
    names = unique_names(["a.pdf"] * 3000)
    assert names[-1] == "a (3000).pdf"
    assert len(set(names)) == 3000
