"""The fence, from outside: one child process for each document, what it may take, and what it says at the end."""

import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portal.previews.fenced import frames
from portal.previews.fenced.frames import Garbled, Task
from portal.storage import OpenedBytes

CHILD = Path(__file__).with_name("child.py")
MOST_SAID = 32 * 1024 * 1024
"""Bytes that the child may say altogether."""
MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS = 51, 30, 200
"""Of a table; the header is a row."""
MOST_TEXT = 256 * 1024
STARTING_SECONDS = 10
"""A machine with much to do may need so long to start a child, whose own time begins later."""
BLOCK = 64 * 1024
WEBP = (b"RIFF", b"WEBP")


@dataclass(frozen=True)
class Image:
    """One image as WebP, and its sides in pixels."""

    width: int
    height: int
    data: bytes


Early = Callable[[list[Image]], None]


@dataclass
class Made:
    """What can be shown of some bytes."""

    images: list[Image] = field(default_factory=list)
    """The thumbnail first."""
    table: str | None = None
    """As JSON: ``rows``, the header first, and of how many ``columns`` there are."""
    text: str | None = None
    total: int | None = None


@dataclass(frozen=True)
class Refused:
    """Nothing can be shown, and trying again would change nothing; ``word`` says why."""

    word: str


@dataclass(frozen=True)
class Broken:
    """The child came to nothing: it crashed, ran out of something, or said what makes no sense."""

    word: str


class FenceMissing(Exception):
    """This machine cannot put the fence up, so nothing is made."""


def look_at(opened: OpenedBytes, task: Task, early: Early | None = None) -> Made | Refused | Broken:
    """Have a child look at bytes. Takes a while; nothing it meets can hurt anybody but the child.

    ``early`` is told the first images when more are to come. Raises FenceMissing.
    """
    return _look(opened.handle.fileno(), task, early)


def look_at_nothing(task: Task) -> Made | Refused | Broken:
    """The same with no bytes at all, to see whether there is a fence. Raises FenceMissing."""
    return _look(subprocess.DEVNULL, task, None)


def _look(source: int, task: Task, early: Early | None) -> Made | Refused | Broken:
    with _started(source, task) as child:
        said = _heard(child, time.monotonic() + task.seconds + STARTING_SECONDS, early)
    return said if isinstance(said, Broken) else _understood(said)


@contextmanager
def _started(source: int, task: Task) -> Iterator["subprocess.Popen[bytes]"]:
    """A child that is dead at the end. It gets the open file and a pipe, and nothing of our environment."""
    child = subprocess.Popen(  # noqa: S603 - our own program with numbers and words of ours
        [sys.executable, "-I", str(CHILD), json.dumps(task.values()), str(os.getpid())],
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def _heard(child: "subprocess.Popen[bytes]", deadline: float, early: Early | None) -> bytearray | Broken:
    """All that it says until it ends, within its time and no more than it may."""
    pipe = child.stdout
    if pipe is None:
        raise TypeError("the child was started with a pipe")
    said, ready = bytearray(), select.poll()
    ready.register(pipe, select.POLLIN)
    while ready.poll(max(deadline - time.monotonic(), 0) * 1000):
        block = os.read(pipe.fileno(), BLOCK)
        said += block
        if len(said) > MOST_SAID:
            return Broken("flood")
        if early is not None and (images := _early_images(said)):
            early(images)
            early = None
        if not block:
            return Broken("time") if _has_overrun(child, deadline) else said
    return Broken("time")


def _early_images(said: bytearray) -> list[Image]:
    """Those that were said before the child said that they can be shown already; [] until it does."""
    images: list[Image] = []
    with suppress(Garbled, struct.error):  # the last frame has not come as a whole yet
        for letter, payload in frames.unframed(said):
            if letter == frames.EARLY:
                return images
            if letter == frames.IMAGE:
                images.append(_image(payload))
    return []


def _has_overrun(child: "subprocess.Popen[bytes]", deadline: float) -> bool:
    """Whether it used up its time, as the kernel counts it, or goes on although it has nothing more to say."""
    try:
        return child.wait(max(deadline - time.monotonic(), 0)) == -signal.SIGXCPU
    except subprocess.TimeoutExpired:
        return True


def _understood(said: bytearray) -> Made | Refused | Broken:
    """What it said, of which nothing is believed that is not in its bounds."""
    try:
        told = list(frames.unframed(said))
        if not told:
            return Broken("crash")
        if told[0][0] != frames.FENCED:
            raise FenceMissing(told[0][1].decode("utf-8", "replace"))
        return _outcome(told[1:])
    except (Garbled, ValueError, KeyError, TypeError, RecursionError, struct.error):
        return Broken("crash")


def _outcome(told: list[tuple[bytes, bytes]]) -> Made | Refused | Broken:
    if not told:
        return Broken("crash")
    letter, payload = told.pop()
    if letter == frames.REFUSED:
        return Refused(payload.decode("ascii"))
    if letter != frames.MADE:
        return Broken("crash")
    made = Made(total=_count(json.loads(payload)))
    for letter, payload in told:
        if letter == frames.IMAGE:
            made.images.append(_image(payload))
        elif letter == frames.TEXT:
            made.text = _text(payload.decode())
        elif letter == frames.TABLE:
            made.table = _table(json.loads(payload))
        elif letter != frames.EARLY:
            raise Garbled
    return made


def _image(payload: bytes) -> Image:
    width, height = frames.SIDES.unpack_from(payload)
    data = payload[frames.SIDES.size :]
    if (data[:4], data[8:12]) != WEBP or not width or not height:
        raise Garbled
    return Image(width, height, data)


def _text(text: str) -> str:
    if len(text.encode()) > MOST_TEXT or "\0" in text:
        raise Garbled
    return text


def _table(found: Any) -> str:
    rows = found["rows"]
    cells = [cell for row in rows for cell in row]
    if not rows or len(rows) > MOST_ROWS or any(not 0 < len(row) <= MOST_COLUMNS for row in rows):
        raise Garbled
    if any(not isinstance(cell, str) or len(cell) > MOST_CHARACTERS or "\0" in cell for cell in cells):
        raise Garbled
    return json.dumps({"columns": _count(found["columns"]), "rows": rows}, ensure_ascii=False)


def _count(found: Any) -> int | None:
    if found is not None and not (type(found) is int and 0 <= found < 2**31):
        raise Garbled
    return found
