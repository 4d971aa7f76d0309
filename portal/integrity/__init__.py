"""Integrity: verify what is there, collect what nobody needs, back up and restore."""

from portal.integrity.archive import BackupUnusable
from portal.integrity.backing_up import BackupReport, backup
from portal.integrity.collecting import CollectReport, collect
from portal.integrity.restoring import RestoreReport, restore
from portal.integrity.verifying import VerifyReport, verify

__all__ = [
    "BackupReport",
    "BackupUnusable",
    "CollectReport",
    "RestoreReport",
    "VerifyReport",
    "backup",
    "collect",
    "restore",
    "verify",
]
