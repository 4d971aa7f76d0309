"""Texts, and the text of office documents."""

import io
import zipfile
from pathlib import Path

import pytest

from portal.previews.fence import Refused
from tests.previews.samples import looked_at, made

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
T = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"


def packed(**entries: str | bytes) -> bytes:
    """A zip of these entries; of their names, two underscores are a slash and one a dot."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return out.getvalue()


def docx(body: str, before: str = "") -> bytes:
    """A document of Word with this body."""
    return packed(word__document_xml=f'{before}<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>')


def odt(body: str) -> bytes:
    """A document of OpenDocument with this body."""
    return packed(content_xml=f'<o:document xmlns:o="urn:o" xmlns:text="{T}"><o:text>{body}</o:text></o:document>')


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_text_is_read_whatever_its_encoding(tmp_path: Path, encoding: str) -> None:
    assert made(tmp_path, "Grüße\r\nvon uns\r".encode(encoding), "texts").text == "Grüße\nvon uns\n"


def test_a_long_text_is_cut(tmp_path: Path) -> None:
    text = made(tmp_path, "ä".encode() * 600_000, "texts").text
    assert text == "ä" * (128 * 1024)


def test_characters_that_nobody_sees_are_gaps(tmp_path: Path) -> None:
    assert made(tmp_path, b"a\x1b[31mb\x07c\td\ne", "texts").text == "a [31mb c\td\ne"


@pytest.mark.parametrize(("content", "word"), [(b"", "empty"), (b"a\0b", "binary")])
def test_what_is_no_text_says_why(tmp_path: Path, content: bytes, word: str) -> None:
    assert looked_at(tmp_path, content, "texts") == Refused(word)


def test_the_text_of_word_is_what_stands_in_its_paragraphs(tmp_path: Path) -> None:
    body = """
    <w:p><w:r><w:t>Dear </w:t></w:r><w:r><w:t>Ada,</w:t><w:tab/><w:t>welcome</w:t><w:br/><w:t>here</w:t></w:r></w:p>
    <w:p><w:r><w:instrText>HYPERLINK "http://elsewhere"</w:instrText><w:t>A &lt;link&gt;</w:t></w:r></w:p>
    <w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>
    """
    assert made(tmp_path, docx(body), "office").text == "Dear Ada,\twelcome\nhere\nA <link>"


def test_the_text_of_opendocument_is_what_stands_in_its_paragraphs(tmp_path: Path) -> None:
    body = (
        "<text:h>Title</text:h><text:p>One<text:s/><text:span>two</text:span> three<text:line-break/>four</text:p>"
        "<text:p>five<text:tab/>six</text:p>\n  "
    )
    assert made(tmp_path, odt(body), "office").text == "Title\nOne two three\nfour\nfive\tsix"


def test_a_long_document_is_cut(tmp_path: Path) -> None:
    body = "<w:p><w:r><w:t>A paragraph of some words.</w:t></w:r></w:p>" * 20_000
    assert len(made(tmp_path, docx(body), "office").text or "") == 256 * 1024


def test_an_encrypted_document_asks_for_a_password(tmp_path: Path) -> None:
    content = packed(content_xml=b"\x8a\xff", META_INF__manifest_xml="<manifest:encryption-data/>").replace(
        b"META.INF", b"META-INF"
    )
    assert looked_at(tmp_path, content, "office") == Refused("password")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (docx(""), "empty"),
        (packed(other_xml="<x/>"), "damaged"),
        (docx("<w:p>"), "damaged"),
        (docx("<w:p><w:r><w:t>x</w:t></w:r></w:p>")[:-30], "damaged"),
        (b"PK\x03\x04", "damaged"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, content: bytes, word: str) -> None:
    assert looked_at(tmp_path, content, "office") == Refused(word)
