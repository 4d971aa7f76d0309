"""Images, made smaller, by Pillow."""

from PIL import (  # noqa: F401 - the readers, brought in before the fence stands
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
)

from portal.previews.fenced.making import SOURCE, Desk, Refusal
from portal.previews.fenced.painting import WHITE, doubting, put_thumbnail, put_webp

FORMATS = {
    "image/bmp": ("BMP",),
    "image/gif": ("GIF",),
    "image/jpeg": ("JPEG", "MPO"),
    "image/png": ("PNG",),
    "image/tiff": ("TIFF",),
    "image/webp": ("WEBP",),
}
"""How each type is read, and by no other reader."""
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How a camera was held, and what puts it right."""
SIDE = 2000
"""No image is longer than that; none is made larger than it is."""


def make(desk: Desk) -> None:
    """The thumbnail, then the image, turned as the camera says; of several pictures in one the first."""
    with doubting(), open(SOURCE, "rb", closefd=False) as source:
        source.seek(0)
        image = _small(source, desk)
    put_thumbnail(desk, image)
    put_webp(desk, image)
    desk.finish()


def _small(source: object, desk: Desk) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = None  # counted here, with a limit of our own
    with Image.open(source, formats=FORMATS[desk.task.content_type]) as image:  # type: ignore[arg-type]
        if image.width * image.height > desk.task.pixels:
            raise Refusal("pixels")
        image.draft("RGB", (SIDE, SIDE))
        image.load()
        plain = _on_paper(_reduced(image))
        plain.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
        return _turned(plain, image.getexif().get(ORIENTATION))


def _reduced(image: Image.Image) -> Image.Image:
    """Already smaller by a whole number, where it is far too large: what follows then takes little memory."""
    factor = max(image.size) // SIDE
    return image.reduce(factor) if factor > 1 and image.mode not in ("P", "1") else image


def _on_paper(image: Image.Image) -> Image.Image:
    """In RGB; where it can be seen through, white paper is behind it."""
    if image.mode.startswith("I") or image.mode == "F":
        image = image.point(lambda value: value / 256) if image.mode.startswith("I;16") else image
        return image.convert("L").convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        clear = image.convert("RGBA")
        paper = Image.new("RGB", clear.size, WHITE)
        paper.paste(clear, mask=clear.getchannel("A"))
        return paper
    return image.convert("RGB")


def _turned(image: Image.Image, turn: object) -> Image.Image:
    way = TURNS.get(turn) if isinstance(turn, int) else None
    return image.transpose(way) if way is not None else image
