"""What a backup says about itself, in its last member: an archive without one was never finished."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from portal.integrity.archive import BackupUnusable

FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """The facts of a backup.

    ``counts`` are rows by table, ``blobs`` and ``blob_bytes`` what the archive has, ``damaged`` the keys of blobs that
    it has not because they were missing or damaged, ``sources`` directories indexed in place, which no backup copies.
    """

    format: int
    program: str
    made_at: str
    kind: str
    """``sqlite`` or ``postgresql``."""
    revision: str
    database_sha256: str
    database_size: int
    counts: dict[str, int]
    blobs: int
    blob_bytes: int
    damaged: list[str]
    sources: list[str]

    def to_json(self) -> bytes:
        """As stored, for people to read too."""
        return json.dumps(asdict(self), indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> "Manifest":
        """Read strictly; raises BackupUnusable, and says so when a newer program made it."""
        try:
            found = json.loads(text)
            if found["format"] > FORMAT:
                raise BackupUnusable("This backup was made by a newer version of the portal. Update this one first.")
            manifest = cls(**found)
            is_sound = _is_sound(found)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as problem:
            raise BackupUnusable from problem
        if not is_sound:
            raise BackupUnusable
        return manifest


def _is_sound(found: dict[str, Any]) -> bool:
    """Whether every value is of its kind, which JSON does not promise."""
    lists = [found[name] for name in ("damaged", "sources")]
    texts = [found[name] for name in ("program", "made_at", "kind", "revision", "database_sha256")]
    numbers = [found[name] for name in ("format", "database_size", "blobs", "blob_bytes")]
    return (
        all(isinstance(each, list) and all(isinstance(text, str) for text in each) for each in lists)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(number, int) for number in [*numbers, *found["counts"].values()])
    )
