"""Import of many small files against a bare script that keeps the same promises."""

import hashlib
import itertools
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.house import House
from benchmarks.peers import PORTAL
from benchmarks.rounds import Reading, interleaved
from benchmarks.settings import FILES, ROUNDS
from benchmarks.table import DURATION, Table

SCRIPT = "bare script"
BATCH = 500
MOST_ROUNDS = 3
"""One import takes long enough to be steady in itself."""


def measure(house: House) -> None:
    """Seconds until everything is in place; each import finds bytes that nobody has seen before."""
    table = Table("importing")
    turns = itertools.count()
    measures = {PORTAL: partial(_by_portal, house, turns), SCRIPT: partial(_by_script, house, turns)}
    readings = interleaved(measures, min(ROUNDS, MOST_ROUNDS))
    table.line(f"import of {FILES:,} small files, the script as durable", DURATION, readings)
    table.end("The portal's figure has the start of its program in it, the script's has not.")


def _by_portal(house: House, turns: Iterator[int]) -> Reading:
    """``portal import`` into a category of its own."""
    turn = next(turns)
    source = _make_files(house, turn)
    command = [sys.executable, "-m", "portal.cli", "import", str(source), "--into", f"many{turn}"]
    began = time.perf_counter()
    subprocess.run(command, env=os.environ | house.environment, check=True, capture_output=True)
    return Reading(time.perf_counter() - began)


def _by_script(house: House, turns: Iterator[int]) -> Reading:
    """Write, fsync, rename, fsync directories, commit, in batches."""
    turn = next(turns)
    source, target = _make_files(house, turn), house.work / f"script{turn}"
    began = time.perf_counter()
    target.mkdir()
    database = sqlite3.connect(target / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE documents (id INTEGER PRIMARY KEY, path TEXT UNIQUE, sha256 TEXT, size INTEGER)")
    files = sorted(path for path in source.rglob("*") if path.is_file())
    for start in range(0, len(files), BATCH):
        _batch(database, files[start : start + BATCH], source, target)
    database.close()
    return Reading(time.perf_counter() - began)


def _make_files(house: House, turn: int) -> Path:
    """Small files in folders of 250, flushed, so that no import pays for the writing of its source."""
    source = house.work / "many"
    for number in range(FILES):
        folder = source / f"folder{number // 250:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"document-{number:05d}.txt").write_bytes(b"document %d of turn %d\n" % (number, turn) * 25)
    os.sync()
    return source


def _batch(database: sqlite3.Connection, files: list[Path], directory: Path, target: Path) -> None:
    touched: set[Path] = set()
    rows = []
    for number, path in enumerate(files):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        temp = target / f"tmp-{number}"
        with temp.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        shelf = target / digest[:2] / digest[2:4]
        shelf.mkdir(parents=True, exist_ok=True)
        temp.rename(shelf / digest)
        touched |= {shelf, shelf.parent, target}
        rows.append((str(path.relative_to(directory)), digest, len(content)))
    for shelf in touched:
        handle = os.open(shelf, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    database.execute("BEGIN IMMEDIATE")
    database.executemany("INSERT INTO documents (path, sha256, size) VALUES (?, ?, ?)", rows)
    database.execute("COMMIT")
