"""Sizes as people read them: powers of ten, three figures, the same in every room."""

import pytest

from portal.errors import BadInput
from portal.sizes import exact_size_text, read_size, size_text


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (96_400, "96 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (1_000_000, "1.0 MB"),
        (2_444_444, "2.4 MB"),
        (9_949_999, "9.9 MB"),
        (9_950_000, "10 MB"),
        (411_900_000, "412 MB"),
        (3 * 10**9, "3.0 GB"),
        (2 * 10**15, "2,000 TB"),
    ],
)
def test_a_size_is_said_as_people_read_it(count: int, words: str) -> None:
    assert size_text(count) == words


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("", None),
        ("None", None),
        ("0 bytes", 0),
        ("1 byte", 1),
        ("500MB", 500 * 10**6),
        (" 1.5  gb ", 1_500_000_000),
        ("1,5 GB", 1_500_000_000),
        ("0.001 kb", 1),
        ("1234567 bytes", 1_234_567),
    ],
)
def test_a_size_is_read_as_people_write_it(words: str, count: int | None) -> None:
    assert read_size(words) == count


@pytest.mark.parametrize("words", ["5", "-1 GB", "1e9 bytes", "much", "5 GiB", "1.2345 GB", "9999999 TB", "\u0665 GB"])
def test_what_is_no_size_is_refused_with_an_example(words: str) -> None:
    with pytest.raises(BadInput, match=r"Write a size such as 500 MB or 1\.5 GB\."):
        read_size(words)


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 1_234_567, 1_500_000_000, 3 * 10**12, 999_999 * 10**12])
def test_an_exact_size_is_read_again_as_it_was(count: int) -> None:
    assert read_size(exact_size_text(count)) == count
