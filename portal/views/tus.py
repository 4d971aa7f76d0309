"""The headers of tus 1.0 in a request: what is announced of an upload, and what comes with its bytes."""

import base64
import binascii
import re

from flask import request

from portal.errors import BadRequest, ProtocolUnknown, TypeNotTaken
from portal.uploads import resumable
from portal.uploads.resumable import Announced, Checksum
from portal.views.clock import here
from portal.views.forms import checked
from portal.views.guard import person

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
BYTES = "application/offset+octet-stream"
KINDS = ("category", "document", "distribution")
LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
KEY = re.compile(r"[^\s,]{1,100}", re.ASCII)
OTHER_VERSION = "This server speaks tus 1.0.0. Say so in the header Tus-Resumable."


def read_announced() -> Announced:
    """What is to come, and where it goes. Raises BadRequest, and what speaks against it going there."""
    if "Upload-Concat" in request.headers or "Upload-Defer-Length" in request.headers:
        raise BadRequest("This server knows the length of an upload from its start, and puts none together.")
    size = read_number("Upload-Length")
    said = _metadata(request.headers.get("Upload-Metadata", ""))
    if "filename" not in said:
        raise BadRequest("Upload-Metadata names no file: it needs a filename.", field="filename")
    kinds = [kind for kind in KINDS if kind in said]
    if len(kinds) != 1:
        raise BadRequest("Upload-Metadata says where it goes: by one of category, document and distribution.")
    target = resumable.find_target(person(), kinds[0], said[kinds[0]], said.get("folder", ""))
    facts = resumable.read_facts({key: said[key] for key in resumable.KEYS & said.keys()}, here())
    metadata = request.headers.get("Upload-Metadata", "")
    return Announced(target, said["filename"], size, facts, said.get("sha256"), metadata)


def _metadata(header: str) -> dict[str, str]:
    """Keys to values, as tus writes them: key, blank, base64, and commas between. Raises BadRequest."""
    found: dict[str, str] = {}
    for pair in header.split(",") if header.strip() else []:
        key, _, packed = pair.strip().partition(" ")
        if not KEY.fullmatch(key) or key in found:
            raise BadRequest("Upload-Metadata has a key twice, or one that cannot be.")
        try:
            found[key] = _unpacked(packed).decode()
        except (binascii.Error, UnicodeDecodeError) as problem:
            raise BadRequest(f"The value of {key} in Upload-Metadata is no base64 of a text in UTF-8.") from problem
        if key in resumable.KEYS | {"category", "folder"}:
            checked(found[key], key, 20_000)
    return found


def read_checksum() -> Checksum | None:
    """What the bytes of this request were hashed to, where that is said. Raises BadRequest."""
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    algorithm, _, packed = header.strip().partition(" ")
    if algorithm not in resumable.ALGORITHMS:
        raise BadRequest(f"Checksums are taken of {' and '.join(resumable.ALGORITHMS)}.")
    try:
        return Checksum(algorithm, _unpacked(packed))
    except binascii.Error as problem:
        raise BadRequest("Upload-Checksum is no base64.") from problem


def _unpacked(text: str) -> bytes:
    """Of base64. Raises binascii.Error, also for letters that are in no base64: for these Python has another error."""
    return base64.b64decode(text.strip().encode(), validate=True)


def read_number(header: str) -> int:
    """How many bytes this header says. Raises BadRequest for none, and for what is no whole number."""
    found = request.headers.get(header, "")
    if not LENGTH.fullmatch(found):
        raise BadRequest(f"{header} must be a whole number of bytes.")
    return int(found)


def require_version() -> None:
    """Raise ProtocolUnknown for whoever does not say that they speak this version."""
    if request.headers.get("Tus-Resumable") != VERSION:
        raise ProtocolUnknown(OTHER_VERSION)


def require_body() -> None:
    """Raise TypeNotTaken for a body that is not the bytes of an upload as they are."""
    if request.mimetype != BYTES:
        raise TypeNotTaken(f"Bytes of an upload come as {BYTES}.")
    if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise TypeNotTaken("Bytes of an upload come as they are, without Content-Encoding.")
