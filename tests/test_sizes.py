"""Sizes as people read them: powers of ten, three figures, the same in every room."""

import pytest

from portal.sizes import size_text


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
