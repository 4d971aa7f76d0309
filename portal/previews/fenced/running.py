"""From its start to its end: the child brings in what it needs, fences itself in, and only then looks at a byte."""

import codecs
import json
import os
import sys
from importlib import import_module
from types import ModuleType

from portal.previews.fenced.frames import FENCED, REFUSED, UNFENCED, Task, frame
from portal.previews.fenced.limits import limit_self
from portal.previews.fenced.making import ANSWER, Desk, Refusal
from portal.previews.fenced.seccomp import filter_self

MAKERS = frozenset({"documents", "office", "pages", "pictures", "tables", "texts", "workbooks"})
"""The modules beside this one that make something; each has ``make(desk)``."""
ENCODINGS = ("ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252", "cp437")
"""Brought in ahead, for nothing can be opened later."""


def main() -> None:
    """Do what the command line says: a ``Task`` as JSON, and the process that asked for it."""
    task, parent = Task(**json.loads(sys.argv[1])), int(sys.argv[2])
    maker = _brought_in(task.maker)
    try:
        limit_self(task, parent)
        filter_self()
        _require_fenced()
    except OSError as problem:
        os.write(ANSWER, frame(UNFENCED, str(problem).encode()[:200]))
        return
    os.write(ANSWER, frame(FENCED, b""))
    try:
        maker.make(Desk(task))
    except Refusal as refusal:
        os.write(ANSWER, frame(REFUSED, refusal.word.encode()))
    except MemoryError:
        os.write(ANSWER, frame(REFUSED, b"memory"))


def _brought_in(name: str) -> ModuleType:
    if name not in MAKERS:
        raise ValueError(name)
    for encoding in ENCODINGS:
        codecs.lookup(encoding)
    return import_module(f"portal.previews.fenced.{name}")


def _require_fenced() -> None:
    """What a filter that is not in force would let through."""
    try:
        os.close(os.open("/", os.O_RDONLY))
    except PermissionError:
        return
    raise OSError("the filter of calls is not in force")
