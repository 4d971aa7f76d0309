"""Nobody holds a whole document without a completed row (P6), however lines are cut and workers and servers killed.

And no row claims what its reader was not sent. What can be told from outside: a row that is *confirmed* claims only
what the reader read, and what the buffers of a line that was cut may hold (``torment.BUFFERS``, about 170 KB); whether
the kernel took that much or less only the portal knows, so a confirmation that comes too early by less than this is not
found here (``tests/downloads`` does that), nor that somebody is believed who tells the truth, as all readers here do.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from portal.downloads.intervals import length_of
from portal.downloads.sending import AT_ONCE, BLOCK, DIRECT_BLOCK
from portal.ranges import without
from portal.settings import Settings
from tests.databases import SQLITE_ONLY
from tests.faults.torment import Account, Answer, House, accounts_of, furnish, torment

pytestmark = [pytest.mark.faults, SQLITE_ONLY]


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    found = furnish(settings, House)
    with closing(found):
        found.start()
        yield found


def require_truth(house: House) -> None:
    """A completed row for each whole body, version by version, nothing left open that was finished, and no false claim.

    There may be more: a small download is written down before it leaves, and its worker may be killed in between.
    """
    for journal, accounts in zip(house.journals, accounts_of(house), strict=True):
        completed = Counter(account.row.version_id for account in accounts if account.row.state == "completed")
        assert Counter(house.versions[answer.document] for answer in journal.whole) <= completed
        for account in accounts:
            assert (account.row.closed_at is not None) == (account.row.state == "completed")
            require_all_is_claimed(house, account)
            require_no_more_is_claimed(house, account)


def require_all_is_claimed(house: House, account: Account) -> None:
    """What somebody got is in the row, but for what nobody wrote down and nobody went on from (docs/promises.md)."""
    known = [(answer.start, answer.stop) for answer in account.answers if not is_unknown(house, account, answer)]
    gone_on_from = [(0, answer.start) for answer in account.answers if answer.is_begun]
    assert without([*known, *gone_on_from], account.claimed) == [], account.story


def is_unknown(house: House, account: Account, answer: Answer) -> bool:
    """Whether its sender was killed, or refused its first block, before it had all been sent."""
    return answer.stop < account.size and (answer.got < BLOCK or house.is_hit(answer))


def require_no_more_is_claimed(house: House, account: Account) -> None:
    """Nothing but what can have been sent, and for a row that is completed and not confirmed at most one block more.

    And that only if its sender was killed: what is refused is taken back.
    """
    more = length_of(without(account.claimed, account.possible))
    is_certain = account.row.is_confirmed or account.row.state != "completed"
    blocks = [last_block(account, answer) for answer in account.answers if house.is_hit(answer)]
    most = 0 if is_certain else max(blocks, default=0)
    assert more <= most, account.story


def last_block(account: Account, answer: Answer) -> int:
    """How much is written down before it leaves."""
    length = account.size - answer.start
    return length if length <= AT_ONCE else DIRECT_BLOCK


@pytest.mark.timeout(300)
def test_every_whole_body_has_its_completed_row_whatever_is_cut_and_killed(house: House) -> None:
    torment(house, 3, seed=7, every=4)

    require_truth(house)


def test_the_rows_of_those_who_cut_their_lines_claim_what_they_got(house: House) -> None:
    torment(house, 3, seed=8)

    assert house.kills == []
    require_truth(house)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_two_thousand_downloads_through_cuts_kills_and_restarts(house: House, seed: int) -> None:
    torment(house, 34, seed=1000 * seed, every=8)

    require_truth(house)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2))
def test_four_hundred_downloads_through_cuts(house: House, seed: int) -> None:
    torment(house, 34, seed=1000 * seed + 500)

    require_truth(house)
