"""Stock ``send_from_directory`` with conditional answers, all it can do by itself: no sign-in, no database, no log."""

import os

from flask import Flask, Response, send_from_directory

app = Flask(__name__)


@app.get("/stock/<path:path>")
def get(path: str) -> Response:
    """A file below the directory $BENCH_DIRECTORY; asked again each time, like the documents of the portal."""
    return send_from_directory(os.environ["BENCH_DIRECTORY"], path, conditional=True, etag=True, max_age=0)
