"""What a backup says about itself, in its last member: an archive without one was never finished."""

import json
from dataclasses import asdict, dataclass

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
            if isinstance(found, dict) and isinstance(found.get("format"), int) and found["format"] > FORMAT:
                raise BackupUnusable("This backup was made by a newer version of the portal. Update this one first.")
            manifest = cls(**found)
            is_sound = manifest._is_sound()
        except (ValueError, TypeError, AttributeError, RecursionError) as problem:
            raise BackupUnusable from problem
        if not is_sound:
            raise BackupUnusable
        return manifest

    def _is_sound(self) -> bool:
        """Whether every value is of its kind, which JSON does not promise."""
        lists = (self.damaged, self.sources)
        texts = (self.program, self.made_at, self.kind, self.revision, self.database_sha256, *sum(lists, []))
        numbers = (self.format, self.database_size, self.blobs, self.blob_bytes, *self.counts.values())
        return all(isinstance(text, str) for text in texts) and all(isinstance(number, int) for number in numbers)
