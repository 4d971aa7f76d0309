"""Small documents made from nothing: PDF, CSV and PNG, written out by hand. Pure."""

import csv
import io
import struct
import textwrap
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, MARGIN = 595, 842, 62
"""A4 in points."""
LINE, TEXT, TITLE = 16, 10.5, 21
CHARACTERS = 94
"""What fits into a line of text."""
COLUMN = 88
NARROW = {",": 0.278, ".": 0.278, " ": 0.278, "-": 0.333, "(": 0.333, ")": 0.333}
DIGIT = 0.556
"""Widths in Helvetica, in units of the size: enough to set figures flush right."""
INK, FAINT = "0.13 0.15 0.18", "0.45 0.47 0.5"
CHART_WIDTH, CHART_HEIGHT, PAD, GAP = 960, 540, 48, 14
PAPER, BAR, LAST, RULE = (bytes.fromhex(colour) for colour in ("fbfaf7", "7a948c", "1f5c4d", "d6d2ca"))


@dataclass(frozen=True)
class Row:
    """One line of a table: a label, and figures flush right; a total stands under a rule."""

    label: str
    figures: tuple[str, ...] = ()
    is_total: bool = False


Body = Sequence[str | Row]
"""Paragraphs and table rows; an empty text is a gap, one that ends with a colon a heading."""


def pdf(house: str, title: str, subtitle: str, body: Body) -> bytes:
    """A PDF of as many A4 pages as the body needs, with text that can be searched and copied."""
    pages = _pages(house, title, subtitle, body)
    first_page = 5
    kids = " ".join(f"{first_page + 2 * index} 0 R" for index in range(len(pages)))
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        font.format("Helvetica").encode(),
        font.format("Helvetica-Bold").encode(),
    ]
    for index, content in enumerate(pages):
        resources = "<< /Font << /F1 3 0 R /F2 4 0 R >> >>"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Resources {resources}"
        objects.append(f"{page} /Contents {first_page + 2 * index + 1} 0 R >>".encode())
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    objects.append(b"<< /Title (%s) /Author (%s) >>" % (_escaped(title), _escaped(house)))
    return _assembled(objects)


def csv_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV as RFC 4180 has it, in UTF-8."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue().encode()


def png_bars(values: Sequence[int]) -> bytes:
    """A bar chart as a PNG, the last bar darker."""
    floor = CHART_HEIGHT - PAD
    tops = [floor - value * (floor - PAD) // max(values) for value in values]
    pixels = b"".join(b"\0" + _pixels(y, tops) for y in range(CHART_HEIGHT))
    head = struct.pack(">IIBBBBB", CHART_WIDTH, CHART_HEIGHT, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _pixels(y: int, tops: Sequence[int]) -> bytes:
    """One row: for each bar its colour or paper, then a gap."""
    floor = CHART_HEIGHT - PAD
    bar = (CHART_WIDTH - 2 * PAD) // len(tops) - GAP
    row = PAPER * PAD
    for index, top in enumerate(tops):
        colour = LAST if index == len(tops) - 1 else BAR
        row += (RULE * (bar + GAP)) if y == floor else (colour if top <= y < floor else PAPER) * bar + PAPER * GAP
    return row + PAPER * (CHART_WIDTH - len(row) // 3)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pages(house: str, title: str, subtitle: str, body: Body) -> list[bytes]:
    first = [
        _text(MARGIN, HEIGHT - 120, title, size=TITLE, font="F2"),
        _text(MARGIN, HEIGHT - 142, subtitle, colour=FAINT),
    ]
    pages, y = [first], HEIGHT - 186
    for part in _lines(body):
        if y < MARGIN + 40:
            pages.append([])
            y = HEIGHT - 120
        pages[-1] += _drawn(part, y)
        y -= LINE
    return [b"\n".join([*_frame(house, number, len(pages)), *page]) for number, page in enumerate(pages, 1)]


def _lines(body: Body) -> Iterable[str | Row]:
    for part in body:
        if isinstance(part, Row):
            yield part
        else:
            yield from textwrap.wrap(part, CHARACTERS) or [""]


def _drawn(part: str | Row, y: float) -> list[bytes]:
    if isinstance(part, str):
        font = "F2" if part.endswith(":") else "F1"
        return [_text(MARGIN, y, part.removesuffix(":"), font=font)] if part else []
    font = "F2" if part.is_total else "F1"
    drawn = [_rule(y + 12)] if part.is_total else []
    drawn.append(_text(MARGIN, y, part.label, font=font))
    for index, figure in enumerate(reversed(part.figures)):
        right = WIDTH - MARGIN - index * COLUMN
        drawn.append(_text(right - _width(figure), y, figure, font=font))
    return drawn


def _frame(house: str, number: int, count: int) -> list[bytes]:
    foot = f"Page {number} of {count}"
    return [
        _text(MARGIN, HEIGHT - 66, house, font="F2"),
        _text(MARGIN, 40, foot, size=9, colour=FAINT),
        _rule(HEIGHT - 78),
    ]


def _rule(y: float) -> bytes:
    return f"0.5 w 0.7 0.7 0.7 RG {MARGIN} {y:.1f} m {WIDTH - MARGIN} {y:.1f} l S".encode()


def _text(x: float, y: float, text: str, *, size: float = TEXT, font: str = "F1", colour: str = INK) -> bytes:
    return f"BT {colour} rg /{font} {size} Tf {x:.1f} {y:.1f} Td (".encode() + _escaped(text) + b") Tj ET"


def _width(figure: str) -> float:
    return TEXT * sum(NARROW.get(character, DIGIT) for character in figure)


def _escaped(text: str) -> bytes:
    escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return escaped.encode("cp1252", "replace")


def _assembled(objects: Sequence[bytes]) -> bytes:
    """Header, numbered objects, where each begins, and where that table begins (PDF 32000-1, 7.5); the last is Info."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    begins = []
    for number, content in enumerate(objects, 1):
        begins.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % begin for begin in begins)
    trailer = b"<< /Size %d /Root 1 0 R /Info %d 0 R >>" % (len(objects) + 1, len(objects))
    return bytes(out + b"trailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (trailer, table))
