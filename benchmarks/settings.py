"""How long and how often, from the environment; where the repository is, and units of bytes."""

import os
from pathlib import Path

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
"""How often each comparison is repeated; the tables show medians."""
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
"""How long one measurement of a rate or of a p95 lasts."""
FILES = int(os.environ.get("BENCH_FILES", "10000"))
"""How many files are imported."""
MEMBERS = int(os.environ.get("BENCH_MEMBERS", "100000"))
"""How many documents the largest zip has; the most a zip may have."""
PEOPLE = int(os.environ.get("BENCH_PEOPLE", "100000"))
"""How many people the larger of two portals has; the smaller one has a hundredth of them."""
DOCUMENTS = int(os.environ.get("BENCH_DOCUMENTS", "1000000"))
"""How many documents the larger of two catalogs has; the smaller one has a hundredth of them."""
KEEP = os.environ.get("BENCH_KEEP", "")
"""A directory in which filled catalogs are kept from one run to the next; "" makes them anew each time."""
DATABASE = os.environ.get("BENCH_DATABASE", "sqlite")
"""``sqlite`` or ``postgresql``: what the portal keeps its ledger in."""

ROOT = Path(__file__).resolve().parent.parent
KIB, MIB, GIB = 1024, 1024**2, 1024**3
