"""Pages of a PDF as images, and its text, by PDFium."""

import ctypes
from collections.abc import Iterator

import pypdfium2
from PIL import Image

from portal.previews.fenced.making import MOST_TEXT, Desk, Refusal
from portal.previews.fenced.painting import LARGE, doubting, put_thumbnail, put_webp

ASKS_FOR_PASSWORD = 4
"""FPDF_ERR_PASSWORD."""
HIGHEST = 3
"""No image is more than so many times as high as it is wide: of a longer page it is narrower."""
SMALLEST = 1.0
"""A page of less than a point is none."""
SOON_DONE = 3
"""So few pages are there all at once; of more, the first is shown while the others are drawn."""
TEXT_SHARE, PAGES_SHARE = 0.3, 0.6
"""So much of the time may pass until no more text is read, and no more pages are drawn."""


def make(desk: Desk) -> None:
    """The thumbnail and the first page, the text, then page after page while there is time."""
    document = _opened(desk)
    total = len(document)
    if not total:
        raise Refusal("empty")
    first = _drawn(document, 0, desk)
    put_thumbnail(desk, first)
    put_webp(desk, first)
    if total > SOON_DONE:
        desk.say_early()
    desk.put_text("\n\n".join(_texts(document, desk)))
    for number in range(1, min(total, desk.task.pages)):
        if desk.is_late(PAGES_SHARE):
            break
        put_webp(desk, _drawn(document, number, desk))
    desk.finish(total)


def _opened(desk: Desk) -> pypdfium2.PdfDocument:
    """Read from memory: a file that is read piece by piece would have PDFium call back, by code made on the way."""
    source = desk.mapped()
    try:
        document = pypdfium2.PdfDocument((ctypes.c_char * len(source)).from_buffer(source))
        document.init_forms()  # or what was filled in is not drawn; no script of a document runs in this PDFium
    except pypdfium2.PdfiumError as problem:
        word = "password" if problem.err_code == ASKS_FOR_PASSWORD else "damaged"
        raise Refusal(word) from problem
    return document


def _drawn(document: pypdfium2.PdfDocument, number: int, desk: Desk) -> Image.Image:
    try:
        page = document[number]
        width, height = page.get_size()
        if not (SMALLEST <= width < float("inf") and SMALLEST <= height < float("inf")):
            raise Refusal("damaged")
        scale = min(LARGE / width, HIGHEST * LARGE / height, (desk.task.pixels / width / height) ** 0.5)
        if scale * min(width, height) < 1:
            raise Refusal("shape")
        with doubting():
            bitmap = page.render(scale=scale, rev_byteorder=True)
            drawn: Image.Image = bitmap.to_pil().convert("RGB")
            return drawn
    except pypdfium2.PdfiumError as problem:
        raise Refusal("damaged") from problem


def _texts(document: pypdfium2.PdfDocument, desk: Desk) -> Iterator[str]:
    """The text of each page until there is enough of it; a page that cannot be read has none."""
    left = MOST_TEXT
    for number in range(len(document)):
        if left <= 0 or desk.is_late(TEXT_SHARE):
            return
        try:
            text = document[number].get_textpage().get_text_bounded()
        except pypdfium2.PdfiumError:
            continue
        left -= len(text)
        yield text
