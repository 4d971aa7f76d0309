"""Files of the tests, made from nothing, and what the fence makes of them."""

import io
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from portal.cli.demo.papers import pdf
from portal.previews import fence
from portal.previews.fence import Broken, Made, Refused
from portal.previews.fenced.frames import Task
from portal.storage.files import Place, open_bytes

MIB = 1024 * 1024


def task(maker: str, content_type: str = "text/plain", **values: Any) -> Task:
    """What the child is to do, within the limits of the default settings unless others are given."""
    chosen: dict[str, Any] = {
        "size": 0,
        "pages": 20,
        "pixels": 50_000_000,
        "seconds": 10,
        "memory": 512 * MIB,
    }
    return Task(maker, content_type, **chosen | values)


def looked_at(
    directory: Path, content: bytes, maker: str, content_type: str = "text/plain", **values: Any
) -> Made | Refused | Broken:
    """What comes of these bytes in a child of the real fence."""
    file = directory / "source"
    file.write_bytes(content)
    with open_bytes(Place(directory, file.name)) as opened:
        return fence.look_at(opened, task(maker, content_type, size=len(content), **values))


def made(directory: Path, content: bytes, maker: str, content_type: str = "text/plain", **values: Any) -> Made:
    """The same, where something has to come of it."""
    outcome = looked_at(directory, content, maker, content_type, **values)
    assert isinstance(outcome, Made), outcome
    return outcome


def paper(title: str = "Balance sheet", paragraphs: int = 3) -> bytes:
    """A PDF with text; fifty paragraphs are two pages and more."""
    return pdf(
        "The house", title, "For the tests", [f"Paragraph {number} of the sheet." for number in range(paragraphs)]
    )


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: Any) -> bytes:
    """An image whose left half is red and whose right half is blue."""
    image = Image.new("RGB", size, (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    image.convert(mode).save(out, kind, **options)
    return out.getvalue()


def pdf_of(objects: list[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1, of which the first is the catalog; sound in all that is not in them."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def stream(content: bytes, more: bytes = b"") -> bytes:
    """A stream object, packed."""
    packed = zlib.compress(content, 9)
    return b"<< /Length %d /Filter /FlateDecode %s >>\nstream\n%s\nendstream" % (len(packed), more, packed)
