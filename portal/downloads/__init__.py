"""Bytes out: opened, written down, sent block by block. The only way to the bytes of a document."""

from portal.downloads.budgets import TICKET_OVER
from portal.downloads.claims import Claim, claim_of
from portal.downloads.closing import LOOK, SILENT_SECONDS, close_for_link, look_for_silent, sweep
from portal.downloads.delegations import Delegated, count_late_reports, delegate, forget
from portal.downloads.following import CaughtUp, Follower
from portal.downloads.listing import (
    MOST_COUNTED,
    DownloadRow,
    count_downloads,
    get_download,
    list_downloads,
    list_handed_over,
)
from portal.downloads.looking import look, look_again
from portal.downloads.opening import open_bytes, require_released
from portal.downloads.packing import Archive, pack_category, pack_documents
from portal.downloads.sending import SENT_DIRECTLY, Sending, open_for_download
from portal.downloads.statements import JOIN_SECONDS, state_now
from portal.downloads.zipping import ZipSending, open_for_zip

__all__ = [
    "JOIN_SECONDS",
    "LOOK",
    "MOST_COUNTED",
    "SENT_DIRECTLY",
    "SILENT_SECONDS",
    "TICKET_OVER",
    "Archive",
    "CaughtUp",
    "Claim",
    "Delegated",
    "DownloadRow",
    "Follower",
    "Sending",
    "ZipSending",
    "claim_of",
    "close_for_link",
    "count_downloads",
    "count_late_reports",
    "delegate",
    "forget",
    "get_download",
    "list_downloads",
    "list_handed_over",
    "look",
    "look_again",
    "look_for_silent",
    "open_bytes",
    "open_for_download",
    "open_for_zip",
    "pack_category",
    "pack_documents",
    "require_released",
    "state_now",
    "sweep",
]
