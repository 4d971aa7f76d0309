"""Images made small, and given away as WebP without a word of what was said beside the picture."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, WebPImagePlugin  # noqa: F401 - the writer of WebP, brought in before the fence stands

from portal.previews.fenced.making import Desk, Refusal

LARGE = 1200
"""Pixels across."""
THUMBNAIL = (108, 144)
"""Three times as large as it is shown, for fine screens."""
WHITE = (255, 255, 255)
QUALITY, METHOD = 75, 1
"""Of WebP: what more effort would save is less than what it costs to wait."""


def put_webp(desk: Desk, image: Image.Image) -> None:
    """Give an image away that is RGB."""
    plain = Image.new("RGB", image.size, WHITE)  # a new one: nothing comes along that was not painted
    plain.paste(image)
    out = io.BytesIO()
    plain.save(out, "WEBP", quality=QUALITY, method=METHOD)
    desk.put_image(*plain.size, out.getvalue())


def put_thumbnail(desk: Desk, image: Image.Image) -> None:
    """Give the upper middle of an image away, small, in the shape of a sheet of paper."""
    width, height = image.size
    across = max(min(width, height * THUMBNAIL[0] // THUMBNAIL[1]), 1)
    left = (width - across) // 2
    shown = (left, 0, left + across, min(max(across * THUMBNAIL[1] // THUMBNAIL[0], 1), height))
    put_webp(desk, image.resize(THUMBNAIL, Image.Resampling.LANCZOS, shown, reducing_gap=2.0))


@contextmanager
def doubting() -> Iterator[None]:
    """Whatever a library says of bytes that are not what they should be."""
    try:
        yield
    except Image.DecompressionBombError as problem:
        raise Refusal("pixels") from problem
    except (OSError, ValueError, SyntaxError, EOFError, ArithmeticError, LookupError, TypeError) as problem:
        raise Refusal("damaged") from problem
