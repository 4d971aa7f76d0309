"""Import of many small files against a bare script that keeps the same promises."""

import hashlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

BATCH = 500


def make_files(directory: Path, count: int) -> None:
    """``count`` small files in folders of 250."""
    for number in range(count):
        folder = directory / f"folder{number // 250:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"document-{number:05d}.txt").write_bytes(b"document %d\n" % number * 40)


def by_portal(environment: Mapping[str, str], directory: Path, into: str) -> float:
    """Seconds of ``portal import``, the start of the program included."""
    command = [sys.executable, "-m", "portal.cli", "import", str(directory), "--into", into]
    began = time.perf_counter()
    subprocess.run(command, env=os.environ | dict(environment), check=True, capture_output=True)
    return time.perf_counter() - began


def by_script(directory: Path, target: Path) -> float:
    """Seconds of a bare script with the same durability: write, fsync, rename, fsync directories, commit."""
    began = time.perf_counter()
    target.mkdir(parents=True)
    database = sqlite3.connect(target / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE documents (id INTEGER PRIMARY KEY, path TEXT UNIQUE, sha256 TEXT, size INTEGER)")
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    for start in range(0, len(files), BATCH):
        _batch(database, files[start : start + BATCH], directory, target)
    database.close()
    return time.perf_counter() - began


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
