"""Uploads that can be taken up again: how far they are is a row, their bytes are a file; any process goes on."""

from portal.uploads.resumable.facts import KEYS, read_facts
from portal.uploads.resumable.finding import Listed, Progress, list_own, offset_of
from portal.uploads.resumable.receiving import ALGORITHMS, Checksum, append, find_own
from portal.uploads.resumable.starting import Announced, cancel, change_facts, start
from portal.uploads.resumable.sweeping import EXPIRY, remove_stale_partials, sweep
from portal.uploads.resumable.targets import Target, find_target

__all__ = [
    "ALGORITHMS",
    "EXPIRY",
    "KEYS",
    "Announced",
    "Checksum",
    "Listed",
    "Progress",
    "Target",
    "append",
    "cancel",
    "change_facts",
    "find_own",
    "find_target",
    "list_own",
    "offset_of",
    "read_facts",
    "remove_stale_partials",
    "start",
    "sweep",
]
