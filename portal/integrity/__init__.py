"""Integrity: verify what is there, again and again, collect what nobody needs, back up and restore."""

from portal.integrity.archive import BackupUnusable
from portal.integrity.backing_up import BackupReport, backup
from portal.integrity.collecting import CollectReport, collect
from portal.integrity.passes import Pass, find_last, find_running, interval_seconds
from portal.integrity.restoring import RestoreReport, restore
from portal.integrity.scrubbing import Rest, keep_scrubbing, scrub
from portal.integrity.stock import Damaged, DamagedRow, count_damaged, is_any_damaged, list_damaged
from portal.integrity.usage import (
    count_usage,
    held_bytes,
    is_counted_at_once,
    list_groups_by_use,
    list_people_by_use,
    unfinished_uploads,
)
from portal.integrity.verifying import VerifyReport, verify

__all__ = [
    "BackupReport",
    "BackupUnusable",
    "CollectReport",
    "Damaged",
    "DamagedRow",
    "Pass",
    "Rest",
    "RestoreReport",
    "VerifyReport",
    "backup",
    "collect",
    "count_damaged",
    "count_usage",
    "find_last",
    "find_running",
    "held_bytes",
    "interval_seconds",
    "is_any_damaged",
    "is_counted_at_once",
    "keep_scrubbing",
    "list_damaged",
    "list_groups_by_use",
    "list_people_by_use",
    "restore",
    "scrub",
    "unfinished_uploads",
    "verify",
]
