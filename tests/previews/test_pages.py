"""PDFs: pages as images, with their text and how many there are."""

from pathlib import Path

import pytest

from portal.previews.fence import Refused
from tests.previews.samples import looked_at, made, paper, pdf_of, stream
from tests.previews.test_pictures import opened

PDF = "application/pdf"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"


def test_each_page_is_an_image_and_the_text_is_kept(tmp_path: Path) -> None:
    found = made(tmp_path, paper("Balance sheet", 100), "pages", PDF)
    assert found.total is not None
    assert found.total > 1
    assert len(found.images) == found.total + 1
    assert [opened(image.data).size for image in found.images] == [(108, 144)] + [(1200, 1699)] * found.total
    assert found.text is not None
    assert "Balance sheet" in found.text
    assert "Paragraph 99 of the sheet." in found.text


def test_only_the_first_pages_are_drawn(tmp_path: Path) -> None:
    found = made(tmp_path, paper("Long", 100), "pages", PDF, pages=1)
    assert (len(found.images), found.total) == (2, made(tmp_path, paper("Long", 100), "pages", PDF).total)
    assert "Paragraph 99" in (found.text or "")


def test_a_page_as_large_as_a_field_is_drawn_small(tmp_path: Path) -> None:
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 14400 14400] >>"
    found = made(tmp_path, pdf_of([CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page]), "pages", PDF)
    assert (found.images[1].width, found.images[1].height) == (1200, 1200)


def test_a_long_page_is_drawn_narrow(tmp_path: Path) -> None:
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 10000] >>"
    found = made(tmp_path, pdf_of([CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page]), "pages", PDF)
    assert (found.images[1].width, found.images[1].height) == (36, 3600)


def test_a_form_shows_what_was_filled_in(tmp_path: Path) -> None:
    look = stream(b"0 0 1 rg 0 0 100 100 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 100 100]")
    field = b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Ada) /Rect [0 0 100 100] /AP << /N 5 0 R >> >>"
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Annots [4 0 R] >>"
    catalog = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] >> >>"
    content = pdf_of([catalog, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page, field, look])
    found = made(tmp_path, content, "pages", PDF)
    assert opened(found.images[1].data).convert("RGB").getpixel((600, 600)) != (255, 255, 255)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (pdf_of([CATALOG, b"<< /Type /Pages /Kids [] /Count 0 >>"]), "damaged"),
        (b"%PDF-1.7\nand nothing more", "damaged"),
        (paper()[:600], "damaged"),
    ],
)
def test_what_cannot_be_drawn_says_why(tmp_path: Path, content: bytes, word: str) -> None:
    assert looked_at(tmp_path, content, "pages", PDF) == Refused(word)
