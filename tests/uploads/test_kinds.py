"""Types: what the ending says, what the first bytes say, and when the two do not belong together."""

import random

import pytest

from portal.errors import UploadTypeRejected
from portal.uploads import content_type_of, require_fitting
from portal.uploads.kinds import SHAPE, UNKNOWN

SCRIPT = b"<script>alert(1)</script>"
ZIP, COMPOUND = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PDF, PNG, JPEG, GIF = b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a"
EVERY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("filename", "kind"),
    [
        ("a.pdf", "application/pdf"),
        ("A.PDF", "application/pdf"),
        ("a.csv", "text/csv"),
        ("a.jpg", "image/jpeg"),
        ("a.tar.gz", "application/gzip"),
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.md", "text/markdown"),
        ("a.html", "text/html"),
    ],
)
def test_the_ending_says_the_type(filename: str, kind: str) -> None:
    assert content_type_of(filename, b"whatever is inside") == kind


@pytest.mark.parametrize("filename", ["a.tgz", "a.svgz", "a.csv.unknown", "a", ".hidden"])
def test_an_ending_that_says_nothing_leaves_it_to_the_bytes(filename: str) -> None:
    assert content_type_of(filename, PNG + bytes(20)) == "image/png"


@pytest.mark.parametrize("head", [b"", b"\0", b"plain words", bytes(range(128, 192))])
def test_bytes_that_say_nothing_are_octets(head: bytes) -> None:
    assert SHAPE.fullmatch(content_type_of("a.unknown", head))
    assert content_type_of("a.unknown", b"") == UNKNOWN


def test_no_bytes_make_a_type_that_cannot_stand_in_a_header() -> None:
    generator = random.Random(7)
    heads = [generator.randbytes(length) for length in range(200)] + [b"ISc(" + bytes(60), b"#!/bin/sh\r\n", b"<html>"]

    for head in heads:
        assert SHAPE.fullmatch(content_type_of("a.unknown", head))


@pytest.mark.parametrize(
    ("filename", "head"),
    [
        ("a.pdf", PDF),
        ("a.pdf", b"\n" * 900 + PDF),
        ("a.png", PNG),
        ("a.JPEG", JPEG),
        ("a.gif", GIF),
        ("a.gif", b"GIF87a"),
        ("a.gif", b"GIF89a/*" + SCRIPT),
        ("a.jpg", JPEG + b"\xff\xd9<html>" + SCRIPT),
        ("a.webp", b"RIFF\x10\0\0\0WEBPVP8 "),
        ("a.tif", b"MM\0*"),
        ("a.zip", ZIP + b"<html>" + SCRIPT),
        ("a.zip", b"PK\x05\x06" + bytes(18)),
        ("a.docx", ZIP),
        ("a.XLSX", COMPOUND),
        ("a.ods", ZIP),
        ("a.tar.gz", b"\x1f\x8b\x08"),
        ("a.txt", b"#!/bin/sh\n"),
        ("a.csv", b"MZ,Name\n"),
        ("a.html", b"<html>" + SCRIPT),
        ("a.svg", b"<svg>" + SCRIPT),
        ("a.exe", b"MZ\x90\0"),
        ("a", b"\x7fELF"),
    ],
)
def test_bytes_that_keep_the_promise_fit(filename: str, head: bytes) -> None:
    require_fitting(filename, head, EVERY)


@pytest.mark.parametrize(
    ("filename", "head"),
    [
        ("a.pdf", b"MZ\x90\x00"),
        ("a.pdf", b"MZ" + PDF),
        ("a.pdf", b"\x7fELF" + PDF),
        ("a.pdf", b"#!/bin/sh\n" + PDF),
        ("a.pdf", b" " * 1024 + PDF),
        ("a.pdf", b"<html>"),
        ("a.png", JPEG),
        ("a.jpg", PNG),
        ("a.gif", b"GIF"),
        ("a.PnG", b" " + PNG),
        ("a.pdf", b"<!DOCTYPE html><script>/*" + PDF),
        ("a.pdf", b"\n <svg xmlns='x'><!--" + PDF),
        ("a.pdf", ZIP),
        ("a.gif", b"GIF8" + SCRIPT),
        ("a.jpg", b"<html>" + JPEG),
        ("a.webp", PNG),
        ("a.webp", b"RIFF\x10\0\0\0WAVEfmt "),
        ("a.tiff", JPEG),
        ("a.bmp", PNG),
        ("a.docx", PDF),
        ("a.xlsx", b"<html><table>"),
        ("a.odt", COMPOUND),
        ("a.zip", b"<html>" + ZIP),
        ("a.gz", ZIP),
        ("a.csv", b"\x7fELF\x02\x01"),
        ("a.txt", b"MZ\x90\0\x03"),
        ("a.mp4", b"\xcf\xfa\xed\xfe"),
        ("a.doc", b"\x7fELF\x02\x01"),
    ],
)
def test_bytes_of_another_type_do_not(filename: str, head: bytes) -> None:
    with pytest.raises(UploadTypeRejected, match="not what its name says") as refused:
        require_fitting(filename, head, EVERY)
    assert refused.value.status == 415


@pytest.mark.parametrize("filename", ["a.csv", "a.txt", "a.doc", "a.unknown", "a", "a.html"])
def test_a_type_that_cannot_be_told_is_no_mismatch(filename: str) -> None:
    require_fitting(filename, PDF, EVERY)


@pytest.mark.parametrize("filename", ["a.pdf", "a.png"])
def test_nothing_at_all_is_no_mismatch(filename: str) -> None:
    require_fitting(filename, b"", EVERY)


@pytest.mark.parametrize("filename", ["a.csv", "a", "a.pdf.exe", ".pdf", "a.gz"])
def test_an_ending_that_is_not_allowed_is_refused_with_those_that_are(filename: str) -> None:
    with pytest.raises(UploadTypeRejected, match=r"PDF, TAR\.GZ"):
        require_fitting(filename, b"", frozenset({"pdf", "tar.gz"}))


def test_an_ending_that_is_allowed_may_be_spelled_otherwise() -> None:
    require_fitting("a.jpeg", b"\xff\xd8\xff\xe0", frozenset({"jpg"}))


@pytest.mark.parametrize("filename", ["a.pdf", "A.PDF", "a.tar.gz"])
def test_an_ending_that_is_allowed_fits(filename: str) -> None:
    require_fitting(filename, b"", frozenset({"pdf", "tar.gz"}))
