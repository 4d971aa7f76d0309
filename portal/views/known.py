"""Whether files are there already, asked by a page or a program before it sends them."""

import re
from typing import Any

from flask import Blueprint, Response, jsonify

from portal.errors import BadInput
from portal.uploads.knowing import Asked, list_known_in_category, list_known_of_document
from portal.views.forms import checked, json_body
from portal.views.guard import allow, person

bp = Blueprint("known", __name__)

MOST = 200
NAME, FOLDER, SHA256 = 1_000, 10_000, re.compile(r"[0-9a-f]{64}", re.ASCII)


@bp.post("/uploads/known")
@allow("publisher")
def ask() -> Response:
    """``files``: each ``new``, ``same`` or a ``version`` of what is there; ``documents``: which one that is."""
    said = json_body()
    if not isinstance(said, dict) or ("category" in said) == ("document" in said):
        raise BadInput("Ask with a JSON object that has a category or a document, and files.")
    files = _files(said.get("files"))
    if "category" in said:
        found = list_known_in_category(person(), _text(said, "category", FOLDER), files)
    else:
        found = list_known_of_document(person(), _text(said, "document", NAME), files)
    documents = [str(one.document) if one.document is not None else None for one in found]
    return jsonify(files=[one.word for one in found], documents=documents)


def _files(said: object) -> list[Asked]:
    if not isinstance(said, list) or len(said) > MOST or not all(isinstance(one, dict) for one in said):
        raise BadInput(f"Ask about at most {MOST} files, each a JSON object.", field="files")
    return [_file(one) for one in said]


def _file(said: dict[str, Any]) -> Asked:
    sha256 = _text(said, "sha256", 64)
    if not SHA256.fullmatch(sha256):
        raise BadInput("A SHA-256 is 64 hex digits in small letters.", field="sha256")
    folder = _text(said, "folder", FOLDER) if "folder" in said else ""
    return Asked(_text(said, "filename", NAME, has_controls=True), sha256, folder)


def _text(said: dict[str, Any], name: str, most: int, *, has_controls: bool = False) -> str:
    """A text of the question; a filename may have characters that cleaning it takes away."""
    value = said.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise BadInput(f"Every file needs a {name} of at most {most:,} characters.", field=name)
    return value if has_controls else checked(value, name, most)
