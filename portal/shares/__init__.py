"""Share links: for people without an account, bound to ids, revocable at once."""

from portal.shares.links import (
    LinkRow,
    Terms,
    add_link,
    change_link,
    count_links,
    find_link,
    get_row,
    is_live,
    list_links,
    revoke_link,
    state_of,
)
from portal.shares.packs import add_pack, find_selection, issue_ticket, list_pack
from portal.shares.scanners import is_scanner
from portal.shares.tickets import (
    LIFETIME_SECONDS,
    Opened,
    claim_of_link,
    find_ticket,
    find_unfinished,
    note_opened,
    open_link,
    refund,
    reserve,
)

__all__ = [
    "LIFETIME_SECONDS",
    "LinkRow",
    "Opened",
    "Terms",
    "add_link",
    "add_pack",
    "change_link",
    "claim_of_link",
    "count_links",
    "find_link",
    "find_selection",
    "find_ticket",
    "find_unfinished",
    "get_row",
    "is_live",
    "is_scanner",
    "issue_ticket",
    "list_links",
    "list_pack",
    "note_opened",
    "open_link",
    "refund",
    "reserve",
    "revoke_link",
    "state_of",
]
