"""Images: small, the right way up, and without a word of what was said beside the picture."""

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from portal.previews.fence import Refused
from tests.previews.samples import looked_at, made, picture

RED, BLUE = (255, 0, 0), (0, 0, 255)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["WEBP"])


def colour_at(image: Image.Image, x: float, y: float) -> str:
    """The name of the colour at a place, given as parts of the width and the height."""
    pixel = image.convert("RGB").getpixel((int(x * image.width), int(y * image.height)))
    assert isinstance(pixel, tuple)
    names = {"red": RED, "blue": BLUE, "white": (255, 255, 255)}
    return min(names, key=lambda name: sum(abs(a - b) for a, b in zip(pixel, names[name], strict=True)))


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("GIF", "image/gif"),
        ("TIFF", "image/tiff"),
        ("WEBP", "image/webp"),
        ("BMP", "image/bmp"),
    ],
)
def test_a_thumbnail_and_the_image_are_made(tmp_path: Path, kind: str, content_type: str) -> None:
    found = made(tmp_path, picture(kind), "pictures", content_type)
    thumb, image = found.images
    assert (thumb.width, thumb.height) == (108, 144) == opened(thumb.data).size
    assert (image.width, image.height) == (40, 30) == opened(image.data).size
    assert [colour_at(opened(image.data), x, 0.5) for x in (0.2, 0.8)] == ["red", "blue"]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "I;16", "CMYK"])
def test_every_kind_of_pixel_is_shown(tmp_path: Path, mode: str) -> None:
    kind, content_type = ("TIFF", "image/tiff") if mode == "CMYK" else ("PNG", "image/png")
    made(tmp_path, picture(kind, mode=mode), "pictures", content_type)


def test_a_large_image_is_made_smaller(tmp_path: Path) -> None:
    found = made(tmp_path, picture("JPEG", (4000, 3000)), "pictures", "image/jpeg")
    assert (found.images[1].width, found.images[1].height) == (2000, 1500)


@pytest.mark.parametrize(("turn", "places"), [(3, (0.8, 0.5)), (6, (0.5, 0.2)), (8, (0.5, 0.8))])
def test_an_image_is_turned_as_the_camera_was_held(tmp_path: Path, turn: int, places: tuple[float, float]) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    found = made(tmp_path, picture("JPEG", (80, 40), exif=exif), "pictures", "image/jpeg")
    image = opened(found.images[1].data)
    assert image.size == ((80, 40) if turn == 3 else (40, 80))
    assert colour_at(image, *places) == "red"


def test_nothing_comes_along_that_is_not_in_the_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x8298] = "The maker of the camera", "Ada Byron"
    content = picture("JPEG", exif=exif, icc_profile=b"the profile", comment=b"a remark", xmp=b"<x:xmpmeta/>")
    for image in made(tmp_path, content, "pictures", "image/jpeg").images:
        assert [name for name in (b"EXIF", b"ICCP", b"XMP ", b"Ada", b"profile", b"remark") if name in image.data] == []
        assert image.data[12:16] == b"VP8 "


def test_white_paper_is_behind_what_can_be_seen_through(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (40, 30), (0, 0, 0, 0)).save(out, "PNG")
    image = opened(made(tmp_path, out.getvalue(), "pictures", "image/png").images[1].data)
    assert colour_at(image, 0.5, 0.5) == "white"


def test_only_the_first_picture_of_a_film_is_read(tmp_path: Path) -> None:
    frames = [Image.new("P", (20, 20), number % 256) for number in range(300)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    assert len(made(tmp_path, out.getvalue(), "pictures", "image/gif").images) == 2


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (2500, 2)])
def test_thin_images_are_images_too(tmp_path: Path, size: tuple[int, int]) -> None:
    assert len(made(tmp_path, picture("PNG", size), "pictures", "image/png").images) == 2


def test_more_pixels_than_may_be_are_not_looked_at(tmp_path: Path) -> None:
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    content = picture("PNG").replace(picture("PNG")[16:29], head)
    content = content[:29] + struct.pack(">I", __import__("zlib").crc32(content[12:29])) + content[33:]
    assert looked_at(tmp_path, content, "pictures", "image/png") == Refused("pixels")


def test_one_type_is_not_read_as_another(tmp_path: Path) -> None:
    assert looked_at(tmp_path, picture("PNG"), "pictures", "image/jpeg") == Refused("damaged")
