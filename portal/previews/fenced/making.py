"""What a maker is handed, and what it may say: it reads one open file, and writes frames to one pipe."""

import json
import mmap
import os
import time

from portal.previews.fenced.frames import EARLY, IMAGE, MADE, SIDES, TABLE, TEXT, Task, frame

SOURCE, ANSWER = 0, 1
"""The two descriptors the child has."""
MOST_TEXT = 256 * 1024
"""Bytes of text that are kept, in UTF-8."""
_UNSEEN = {code: " " for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class Refusal(Exception):
    """There is nothing to be shown of it; the word says why."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Desk:
    """Where a maker works."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._began = time.monotonic()

    def is_late(self, share: float) -> bool:
        """Whether so much of the time there is has passed: what is not begun yet is left out then."""
        return time.monotonic() - self._began > share * self.task.seconds

    def read(self, length: int, at: int = 0) -> bytes:
        """Some bytes of the source; fewer at its end."""
        found = bytearray()
        while len(found) < length and (block := os.pread(SOURCE, length - len(found), at + len(found))):
            found += block
        return bytes(found)

    def mapped(self) -> mmap.mmap:
        """All of the source, in pages of memory that are copied when something writes to them."""
        return mmap.mmap(SOURCE, self.task.size, access=mmap.ACCESS_COPY)

    def put_image(self, width: int, height: int, data: bytes) -> None:
        """Give an image away, as WebP."""
        self._say(frame(IMAGE, SIDES.pack(width, height) + data))

    def say_early(self) -> None:
        """What was given away so far is worth to be shown while the rest is made."""
        self._say(frame(EARLY, b""))

    def put_text(self, text: str) -> None:
        """Give the text away, cut to what is kept."""
        whole = clean(text[:MOST_TEXT]).encode()
        self._say(frame(TEXT, whole[:MOST_TEXT].decode("utf-8", "ignore").encode()))

    def put_table(self, rows: list[list[str]], columns: int) -> None:
        """Give the first rows away, the header first; ``columns`` is how many there are, shown or not."""
        shown = [[clean(cell) for cell in row] for row in rows]
        self._say(frame(TABLE, json.dumps({"columns": columns, "rows": shown}).encode()))

    def finish(self, total: int | None = None) -> None:
        """All is said; ``total`` is how many pages or rows there are altogether, where that is known."""
        self._say(frame(MADE, json.dumps(total).encode()))

    def _say(self, said: bytes) -> None:
        rest = memoryview(said)
        while rest:
            rest = rest[os.write(ANSWER, rest) :]


def clean(text: str) -> str:
    """The text without what no database takes and nobody sees: control characters and halves of others."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").translate(_UNSEEN)
    return plain.encode("utf-8", "ignore").decode()
