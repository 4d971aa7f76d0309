"""The bare tutorial route that the portal grew out of: no sign-in, no database, no log."""

import os

from flask import Flask, Response, send_from_directory

app = Flask(__name__)


@app.get("/get/<name>")
def get(name: str) -> Response:
    """A file of the directory $BENCH_DIRECTORY."""
    return send_from_directory(os.environ["BENCH_DIRECTORY"], name, as_attachment=True)
