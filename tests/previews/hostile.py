"""Files that were made to hurt whoever looks at them: bombs, loops, lies, halves of files, and scripts."""

# ruff: noqa: E501  # each stands in one line

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.previews.samples import paper, pdf_of, picture, stream
from tests.previews.test_tables import workbook
from tests.previews.test_texts import docx, odt, packed

MIB = 1024 * 1024
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"


@dataclass(frozen=True)
class Hostile:
    """One of them. ``is_shown``: something can be shown of it, and that is no harm."""

    name: str
    filename: str
    content_type: str
    make: Callable[[], bytes]
    is_shown: bool = False


def png(width: int, height: int, data: bytes = b"", *chunks: bytes) -> bytes:
    """A PNG that says it is so large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [_chunk(b"IHDR", head), *chunks, _chunk(b"IDAT", zlib.compress(data, 9)), _chunk(b"IEND", b"")]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _gif_of_many_frames() -> bytes:
    frame = b"\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    return b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + frame * 100_000 + b";"


def _tiff_of_a_loop() -> bytes:
    entries = [
        (256, 3, 1, 8),
        (257, 3, 1, 8),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (279, 4, 1, 64),
    ]
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 8)


def _tiff_of_a_wide_strip() -> bytes:
    entries = [(256, 4, 1, 2**31), (257, 4, 1, 2**31), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 0)


def _jpeg_with_much_exif() -> bytes:
    whole = picture("JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", 65_535) + b"Exif\0\0" + b"\0" * 65_527
    return whole[:2] + segment * 64 + whole[2:]


def _pdf_of_pages(kids: bytes, count: bytes = b"1", *more: bytes) -> bytes:
    pages = b"<< /Type /Pages /Kids [%s] /Count %s >>" % (kids, count)
    return pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", pages, *more])


def _page(box: bytes = b"[0 0 595 842]", more: bytes = b"") -> bytes:
    return b"<< /Type /Page /Parent 2 0 R /MediaBox %s %s >>" % (box, more)


def _pdf_with(content: bytes, resources: bytes = b"", *more: bytes) -> bytes:
    page = _page(more=b"/Contents 4 0 R /Resources << %s >>" % resources)
    return _pdf_of_pages(b"3 0 R", b"1", page, content, *more)


def _decode_bomb() -> bytes:
    once = zlib.compress(b"0 0 m 1 1 l S\n" * (64 * MIB // 14), 9)
    return _pdf_with(stream(once, b"").replace(b"/Filter /FlateDecode", b"/Filter [/FlateDecode /FlateDecode]"))


def _huge_image_in_pdf() -> bytes:
    image = stream(
        b"\0" * MIB,
        b"/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /ColorSpace /DeviceRGB /BitsPerComponent 8",
    )
    return _pdf_with(stream(b"595 0 0 842 0 0 cm /I Do"), b"/XObject << /I 5 0 R >>", image)


def _form_in_itself() -> bytes:
    form = stream(b"/F Do", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F 5 0 R >> >>")
    return _pdf_with(stream(b"/F Do"), b"/XObject << /F 5 0 R >>", form)


def _many_forms() -> bytes:
    forms = [
        stream(
            b"/F Do " * 10,
            b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F %d 0 R >> >>" % (number + 1),
        )
        for number in range(5, 13)
    ]
    return _pdf_with(stream(b"/F Do " * 10), b"/XObject << /F 5 0 R >>", *forms, stream(b"0 0 9 9 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]"))  # fmt: skip


def _pdf_that_refers_to_itself() -> bytes:
    return paper().replace(b"startxref\n", b"startxref\n0%")


def _pdf_with_prev_loop() -> bytes:
    whole = _pdf_of_pages(b"3 0 R", b"1", _page())
    at = whole[whole.rindex(b"startxref") :].split()[1]
    return whole.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev " + at)


def _pdf_with_script() -> bytes:
    script = b"<< /S /JavaScript /JS (app.launchURL('http://127.0.0.1:9/')) >>"
    launch = b"<< /S /Launch /F (/bin/true) >>"
    catalog = b"<< /Type /Catalog /Pages 2 0 R /OpenAction %s /AA << /WC %s >> >>" % (script, launch)
    uri = b"<< /S /URI /URI (http://127.0.0.1:9/) >>"
    page = _page(more=b"/AA << /O %s >>" % uri)
    return pdf_of([catalog, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page])


def _encrypted_pdf() -> bytes:
    owner = b"<" + b"00" * 32 + b">"
    encrypt = b"/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O %s /U %s >> /ID [%s %s]" % (
        owner,
        owner,
        owner,
        owner,
    )
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", _page()]
    return pdf_of(objects, encrypt)


def _zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as entry:
        for _ in range(70):
            entry.write(bytes(MIB))
    return out.getvalue()


def _lying_zip() -> bytes:
    """An entry says that it is small, and is not."""
    return _with_size(docx(f"<w:p><w:r><w:t>{'x' * MIB}</w:t></w:r></w:p>"), 1000)


def _with_size(content: bytes, size: int) -> bytes:
    at = content.rindex(b"PK\1\2")
    return content[: at + 24] + struct.pack("<I", size) + content[at + 28 :]


def _overlapping_zip() -> bytes:
    """Two names in the list at the end, one place."""
    content = packed(word__document_xml="<x/>" * 100, word__styles_xml="<x/>" * 100)
    first = content.index(b"PK\1\2")
    second = content.index(b"PK\1\2", first + 4)
    return content[: second + 42] + content[first + 42 : first + 46] + content[second + 46 :]


def _zip_of_many_entries() -> bytes:
    """A hundred thousand names in the list at the end, as the numbers there say, in the old way and in the new."""
    whole, count = packed(a_xml="<x/>"), 100_000
    start, end = whole.index(b"PK\1\2"), whole.index(b"PK\5\6")
    names = whole[start:end] * count
    new = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, len(names), start)
    where = b"PK\6\7" + struct.pack("<IQI", 0, start + len(names), 1)
    old = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return whole[:start] + names + new + where + old


def _billion_laughs() -> str:
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE x [<!ENTITY l0 "lol">{lines}]>'


def _xxe(where: str) -> str:
    return f'<!DOCTYPE x [<!ENTITY e SYSTEM "{where}">]>'


def _entity(before: str) -> bytes:
    return docx("<w:p><w:r><w:t>&e;&l9;</w:t></w:r></w:p>", before)


def _sheet(xml: str) -> bytes:
    """A workbook whose first sheet is this."""
    out, inside = io.BytesIO(), io.BytesIO(workbook(["x"]))
    with zipfile.ZipFile(inside) as before, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(name, xml if name.endswith("sheet1.xml") else before.read(name))
    return out.getvalue()


SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
ONE_PAGE = (b"3 0 R", b"1")
PDFS: dict[str, tuple[Callable[[], bytes], bool]] = {
    "pages that are their own parents": (lambda: _pdf_of_pages(b"2 0 R 2 0 R", b"2"), False),
    "pages in pages in pages": (
        lambda: _pdf_of_pages(
            b"3 0 R", b"1", *(b"<< /Type /Pages /Parent 2 0 R /Kids [%d 0 R] /Count 1 >>" % n for n in range(4, 3000))
        ),
        False,
    ),
    "a hundred thousand pages": (lambda: _pdf_of_pages(b"3 0 R " * 100_000, b"100000", _page()), True),
    "a count that is a lie": (lambda: _pdf_of_pages(b"3 0 R", b"2147483647", _page()), True),
    "no page": (lambda: _pdf_of_pages(b"", b"0"), False),
    "a page as large as the world": (lambda: _pdf_of_pages(*ONE_PAGE, _page(b"[0 0 1e30 1e30]")), True),
    "a page without size": (lambda: _pdf_of_pages(*ONE_PAGE, _page(b"[0 0 0 0]")), True),
    "a page of no numbers": (lambda: _pdf_of_pages(*ONE_PAGE, _page(b"[nan inf -inf 0]")), True),
    "a page as narrow as a hair": (lambda: _pdf_of_pages(*ONE_PAGE, _page(b"[0 0 1 14400]")), True),
    "a stream of a stream that is large": (_decode_bomb, True),
    "an image of ten gigabytes": (_huge_image_in_pdf, True),
    "a form that draws itself": (_form_in_itself, True),
    "forms that draw each other a billion times": (_many_forms, True),
    "a table of objects that is nowhere": (_pdf_that_refers_to_itself, True),
    "a table of objects before itself": (_pdf_with_prev_loop, True),
    "scripts, programs and addresses": (_pdf_with_script, True),
    "a password": (_encrypted_pdf, False),
    "a hundred thousand brackets": (lambda: _pdf_with(stream(b"[" * 100_000)), True),
    "a dictionary that is deep": (lambda: _pdf_of_pages(*ONE_PAGE, b"<< /A " * 50_000), True),
    "operators of no meaning": (lambda: _pdf_with(stream(bytes(range(256)) * 4000)), True),
    "half of it": (lambda: paper()[: len(paper()) // 2], True),
    "its first line": (lambda: b"%PDF-1.7\n", False),
    "a program that calls itself one": (lambda: b"\x7fELF%PDF-1.7\n", False),
    "a page of HTML behind it": (lambda: paper() + b"<html><script>alert(1)</script>", True),
}
PICTURES: dict[str, tuple[str, Callable[[], bytes], bool]] = {
    "nine hundred million pixels": ("png", lambda: png(30_000, 30_000), False),
    "a hundred thousand pixels in a line": ("png", lambda: png(100_000, 1, bytes(300_001)), True),
    "a width of four billion": ("png", lambda: png(2**31 - 1, 1), False),
    "no pixels": ("png", lambda: png(0, 0), False),
    "pixels that are missing": ("png", lambda: png(5_000, 5_000), False),
    "a profile that is a bomb": ("png", lambda: png(8, 8, bytes(200), _chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(16 * MIB)))), True),
    "a text that is a bomb": ("png", lambda: png(8, 8, bytes(200), _chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(16 * MIB)))), True),
    "half a PNG": ("png", lambda: picture("PNG", (400, 300))[:200], False),
    "a hundred thousand frames": ("gif", _gif_of_many_frames, True),
    "half a GIF": ("gif", lambda: picture("GIF", (400, 300))[:80], False),
    "half a JPEG": ("jpeg", lambda: picture("JPEG", (400, 300))[:400], False),
    "four megabytes of camera": ("jpeg", _jpeg_with_much_exif, True),
    "a script behind a JPEG": ("jpeg", lambda: picture("JPEG") + b"<script>alert(1)</script>", True),
    "a GIF that is a script": ("gif", lambda: b"GIF89a/*" + b"*/=1;alert(1)//", False),
    "directories in a circle": ("tiff", _tiff_of_a_loop, True),
    "four billion rows": ("tiff", _tiff_of_a_wide_strip, False),
    "half a TIFF": ("tiff", lambda: picture("TIFF", (400, 300))[:500], False),
    "half a WebP": ("webp", lambda: picture("WEBP", (400, 300))[:60], False),
    "a WebP that says it is large": ("webp", lambda: b"RIFF\xff\xff\xff\x7fWEBPVP8L\xff\xff\xff\x7f/\xff\xff\xff\xff", False),
    "a BMP of minus many rows": ("bmp", lambda: b"BM" + struct.pack("<IIIIiiHHIIIIII", 54, 0, 54, 40, 2**30, -(2**31), 1, 24, 0, 0, 0, 0, 0, 0), False),
}  # fmt: skip
OTHERS = (
    Hostile("a zip bomb", "a.docx", WORD, _zip_bomb),
    Hostile("an entry that is larger than it says", "a.docx", WORD, _lying_zip),
    Hostile("entries that lie in one another", "a.docx", WORD, _overlapping_zip),
    Hostile("a hundred thousand entries", "a.docx", WORD, _zip_of_many_entries),
    Hostile("a billion laughs", "a.docx", WORD, lambda: _entity(_billion_laughs())),
    Hostile("a file of ours", "a.docx", WORD, lambda: _entity(_xxe("file:///etc/passwd"))),
    Hostile("an address of theirs", "a.docx", WORD, lambda: _entity(_xxe("http://127.0.0.1:9/"))),
    Hostile("paragraphs in paragraphs", "a.docx", WORD, lambda: docx("<w:p>" * 100_000)),
    Hostile("a text in paragraphs in paragraphs", "a.odt", ODT, lambda: odt("<text:p>" * 100_000)),
    Hostile("an encoding nobody knows", "a.docx", WORD, lambda: packed(word__document_xml=b'<?xml version="1.0" encoding="utf-7"?><x/>')),
    Hostile("a billion laughs in a sheet", "a.xlsx", EXCEL, lambda: _sheet(_billion_laughs() + SHEET + "<sheetData><row><c><v>&l9;</v></c></row></sheetData></worksheet>")),
    Hostile("a row far down", "a.xlsx", EXCEL, lambda: _sheet(f'{SHEET}<sheetData><row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'), is_shown=True),
    Hostile("a sheet that says it is large", "a.xlsx", EXCEL, lambda: _sheet(f'{SHEET}<dimension ref="A1:XFD1048576"/><sheetData><row r="1"><c r="A1"><v>1</v></c></row></sheetData></worksheet>'), is_shown=True),
    Hostile("a zip that is none", "a.xlsx", EXCEL, lambda: b"PK\3\4" + bytes(1000)),
    Hostile("a line of ten megabytes", "a.csv", "text/csv", lambda: b"x" * (10 * MIB), is_shown=True),
    Hostile("a quotation mark without end", "a.csv", "text/csv", lambda: b'a,"' + b"\n" * (2 * MIB), is_shown=True),
    Hostile("a million columns", "a.csv", "text/csv", lambda: b"," * (3 * MIB), is_shown=True),
    Hostile("nothing but quotation marks", "a.csv", "text/csv", lambda: b'"' * (3 * MIB + 1), is_shown=True),
    Hostile("zeros", "a.csv", "text/csv", lambda: bytes(1000)),
    Hostile("zeros further down", "a.txt", "text/plain", lambda: b"a" * 5000 + bytes(5000)),
    Hostile("quotations in quotations", "a.md", "text/markdown", lambda: b">" * 100_000 + b"[a](javascript:alert(1))", is_shown=True),
    Hostile("a script", "a.html", "text/html", lambda: b"<script>alert(1)</script>", is_shown=True),
    Hostile("a drawing with a script", "a.svg", "image/svg+xml", lambda: b"<svg onload='alert(1)'/>"),
)  # fmt: skip


def everything() -> Iterator[Hostile]:
    """All of them."""
    for name, (make, is_shown) in PDFS.items():
        yield Hostile(f"PDF: {name}", "a.pdf", "application/pdf", make, is_shown)
    for name, (kind, make, is_shown) in PICTURES.items():
        yield Hostile(f"image: {name}", f"a.{kind}", f"image/{kind}", make, is_shown)
    yield from OTHERS
