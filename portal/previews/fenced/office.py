"""The text of office documents: what stands in their paragraphs, and nothing they refer to."""

from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from portal.previews.fenced.making import MOST_TEXT, Desk, Refusal
from portal.previews.fenced.packed import entry, unpacking

WORD, OPEN, MANIFEST = "word/document.xml", "content.xml", "META-INF/manifest.xml"
IN_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
IN_STRICT_WORD = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"
IN_OPEN = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
LETTERS = frozenset({f"{IN_WORD}t", f"{IN_STRICT_WORD}t", f"{IN_OPEN}p", f"{IN_OPEN}h"})
"""Elements in which letters of the text stand."""
ENDS = {
    **dict.fromkeys((f"{prefix}{name}" for prefix in (IN_WORD, IN_STRICT_WORD) for name in ("p", "br", "cr")), "\n"),
    **dict.fromkeys((f"{IN_OPEN}{name}" for name in ("p", "h", "line-break")), "\n"),
    **dict.fromkeys((f"{IN_WORD}tab", f"{IN_STRICT_WORD}tab", f"{IN_OPEN}tab"), "\t"),
    f"{IN_OPEN}s": " ",
}
"""What stands in the text where an element ends."""
BLOCK = 64 * 1024
DEEPEST = 500


class Letters:
    """What a parser of XML tells its findings to."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.length = 0
        self._depth = self._inside = 0

    def start(self, tag: str, _: dict[str, str]) -> None:
        """An element begins."""
        self._depth += 1
        self._inside += tag in LETTERS
        if self._depth > DEEPEST:
            raise Refusal("packed")

    def data(self, text: str) -> None:
        """Letters."""
        if self._inside:
            self._put(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        self._depth -= 1
        self._inside -= tag in LETTERS
        if tag in ENDS:
            self._put(ENDS[tag])

    def close(self) -> None:
        """The document is over."""

    def _put(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)


def make(desk: Desk) -> None:
    """As much of the text as is kept."""
    with unpacking(desk) as archive:
        names = set(archive.namelist())
        name = next((one for one in (WORD, OPEN) if one in names), None)
        if name is None:
            raise Refusal("damaged")
        if name == OPEN and MANIFEST in names and b"encryption-data" in entry(archive, MANIFEST):
            raise Refusal("password")
        text = text_of(entry(archive, name)).strip()
    if not text:
        raise Refusal("empty")
    desk.put_text(text)
    desk.finish()


def text_of(content: bytes) -> str:
    """The text of the main part of a document. Entities, and whatever is said to be elsewhere, are refused."""
    letters = Letters()
    parser = DefusedXMLParser(target=letters, forbid_dtd=True)
    try:
        for at in range(0, len(content), BLOCK):
            parser.feed(content[at : at + BLOCK])
            if letters.length > MOST_TEXT:
                break
        else:
            parser.close()
    except (ParseError, DefusedXmlException, LookupError, ValueError) as problem:
        raise Refusal("damaged") from problem
    return "".join(letters.pieces)
