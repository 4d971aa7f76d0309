"""The members of a zip as they are reached: which edition each of them is, and those whose bytes are open just now."""

from contextlib import suppress

from portal import catalog
from portal.archives import Slice
from portal.catalog import Edition
from portal.catalog.soundness import want
from portal.downloads.opening import open_bytes
from portal.downloads.packing import Archive
from portal.errors import ContentUnavailable
from portal.storage import OpenedBytes

AHEAD = 200
"""For how many members one statement asks where their bytes are."""


class Members:
    """Those of one zip, by index. All but ``close`` is for inside of an application context."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._editions: dict[int, Edition] = {}
        self._opened: dict[int, OpenedBytes] = {}

    def reach(self, indexes: set[int]) -> None:
        """Find out where the bytes of these are, of many at once, and let go of all others that are open."""
        for index in self._opened.keys() - indexes:
            self._opened.pop(index).close()
        missing = sorted(indexes - self._editions.keys())
        if missing:
            kept = {index: self._editions[index] for index in indexes & self._editions.keys()}
            self._editions = kept | self._found(missing[0], max(missing[-1] + 1, missing[0] + AHEAD))

    def edition(self, index: int) -> Edition:
        """One that was reached. Raises ContentUnavailable when it is gone since the zip was begun."""
        if index not in self._editions:
            raise ContentUnavailable
        return self._editions[index]

    def opened(self, index: int) -> OpenedBytes:
        """The bytes of a member, by the one door; opened once. Raises ContentUnavailable."""
        if index not in self._opened:
            self._opened[index] = open_bytes(self.edition(index))
        return self._opened[index]

    def read(self, piece: Slice) -> bytes:
        """Bytes of a member, which is closed with its last ones. Raises ContentUnavailable when they changed."""
        opened = self.opened(piece.index)
        if opened.handle.tell() != piece.start:
            opened.handle.seek(piece.start)
        with suppress(OSError):
            block = opened.handle.read(piece.stop - piece.start)
            if len(block) == piece.stop - piece.start and opened.is_unchanged():
                if piece.stop == opened.size:
                    self._opened.pop(piece.index).close()
                return block
        raise self.spoilt(piece.index)

    def spoilt(self, index: int) -> ContentUnavailable:
        """Something was done to the file of a member, or happened to it, while it was read: it has to be looked at."""
        want(self.edition(index).kept)
        return ContentUnavailable()

    def close(self) -> None:
        """Let go of all that is open. May be repeated."""
        self.reach(set())

    def _found(self, first: int, stop: int) -> dict[int, Edition]:
        version_ids = self._archive.version_ids[first:stop]
        editions = catalog.list_editions(version_ids)
        return {index: editions[found] for index, found in enumerate(version_ids, first) if found in editions}
