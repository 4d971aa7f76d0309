"""Names that people gave: cleaned for the catalog, encoded for headers and archives, refused for categories.

Pure: no name here ever opens anything; the names in storage are our own.
"""

import re
from collections.abc import Collection
from unicodedata import category, normalize
from unicodedata import name as name_of
from urllib.parse import quote

MAX_BYTES = 200
MAX_CATEGORY = 100
NAMELESS = "document"

# Normalising puts combining marks in order, in time that grows with the square of their number: 120,000 of them take
# a quarter of a minute. So what is longer than a name can be is cut before, not after.
_MAX_CHARACTERS = 1000

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_SURROGATES = r"\ud800-\udfff"
_DIRECTIONS = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_TURNING = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
# Soft hyphen, zero-width space, the invisible operators and deprecated shapes, BOM, annotations, tag characters.
_INVISIBLE = r"\xad\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_UNWANTED = re.compile(f"[{_CONTROLS}{_SURROGATES}{_DIRECTIONS}{_INVISIBLE}]")
_UNNAMEABLE = re.compile(f"[{_CONTROLS}{_SURROGATES}{_DIRECTIONS}]")
# Letters and signs by their kind in Unicode that leave the paper white: fillers of Hangul, and Braille without a dot.
_WHITE = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_RESERVED = frozenset({".", "..", "download"})
_JOINERS = re.compile(r"[\u200c\u200d]+")

# What has no accent to take away, spelled as people do who lack the letter; anything else is left out.
_SPELLED = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    | {"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ħ": "h", "Ħ": "H", "ŧ": "t", "Ŧ": "T", "ı": "i"}
    | {"–": "-", "—": "-", "‐": "-", "’": "'", "‘": "'"}
)

_EXTENSION = re.compile(r"\.(?:tar\.(?:gz|bz2|xz)|[^\s./\\]{1,20})\Z", re.IGNORECASE)
# Extensions a name may consist of; `.pdf` lost its stem, while `.htaccess` is a name of its own.
_DOCUMENT_EXTENSION = re.compile(
    "7z|bmp|csv|docm|docx?|eml|epub|geojson|gif|gz|html?|ics|jpe?g|json|md|mp3|mp4|msg|od[gpst]|pdf|png|pptm|pptx?|ps|rtf"
    r"|svg|tar|tar\.(?:gz|bz2|xz)|tex|tiff?|tsv|txt|vcf|vsdx?|webp|xls[bmx]?|xml|xps|xz|ya?ml|zip",
    re.IGNORECASE,
)
# Extensions that differ in nothing but how long they are.
_SPELLINGS = [frozenset(both.split()) for both in ("jpg jpeg", "tif tiff", "htm html", "yml yaml", "mpg mpeg")]
# Windows sees a device in these whatever extension follows, and instructions for its file manager in the last two.
_SPECIAL_ON_WINDOWS = re.compile(
    r"(?:(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\..*)?|desktop\.ini|thumbs\.db)",
    re.IGNORECASE,
)

# What no letter of its own is: marks and joiners belong to the letter before them.
_ATTACHED = frozenset({"Mn", "Mc", "Me", "Cf"})
_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lo"})
# Chinese, Japanese and Korean are written with several of these, and with Latin among them.
_COMBINED = frozenset({"", "BOPOMOFO", "CJK", "HANGUL", "HIRAGANA", "KATAKANA"})
_WORD = re.compile(r"[^\W_]+")


def normal(name: str) -> str:
    """NFC, in which equal looking accents are equal. Bound the length first: it may take quadratic time."""
    return normalize("NFC", name)


def clean(name: str) -> str:
    """The filename that people see and the catalog keeps, whatever was given; cleaning it again changes nothing.

    The last component of a path, NFC, case kept; without controls, direction marks and invisible characters; never
    empty, no dots or blanks at its ends, at most 200 bytes of UTF-8 with the extension kept.
    """
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    visible = _JOINERS.sub(_needed_joiner, _UNWANTED.sub("", last))
    return _shortened(normal(_bounded(_trimmed(" ".join(visible.split())))))


def _bounded(name: str) -> str:
    """NAME without its middle if it is far too long; so its extension is still there when it is shortened for good."""
    return name if len(name) <= _MAX_CHARACTERS else name[: _MAX_CHARACTERS // 2] + name[-_MAX_CHARACTERS // 2 :]


def _needed_joiner(run: re.Match[str]) -> str:
    """Persian words and composed emoji need a joiner between two of their characters; anywhere else it only hides."""
    before, after = run.string[run.start() - 1 : run.start()], run.string[run.end() : run.end() + 1]
    return run[0][0] if _takes_joiner(before) and _takes_joiner(after) else ""


def _takes_joiner(character: str) -> bool:
    return not normal(character).isascii() and not character.isspace()


def _trimmed(name: str) -> str:
    bare = name.strip(". ")
    if name.startswith(".") and _DOCUMENT_EXTENSION.fullmatch(bare):
        return f"{NAMELESS}.{bare}"
    return bare if is_seen(bare) else NAMELESS


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, suffix = _parts(name)
    room = MAX_BYTES - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(". \u200c\u200d") + suffix


def _parts(name: str) -> tuple[str, str]:
    """Stem and extension, which together are NAME."""
    found = _EXTENSION.search(name)
    if not found or not name[: found.start()].strip("."):
        return name, ""
    return name[: found.start()], found[0]


def extension(name: str) -> str:
    """Lower case with its dot, `.tar.gz` and its like as one; empty when there is none, as in `.htaccess`."""
    return _parts(name)[1].lower()


def spellings(ending: str) -> frozenset[str]:
    """All that an extension, in lower case and without its dot, is also written as: `jpg` and `jpeg` for either."""
    return next((both for both in _SPELLINGS if ending in both), frozenset({ending}))


def ends_in(name: str, endings: Collection[str]) -> bool:
    """Whether the extension of NAME is one of ENDINGS, lower case and without dots, however it is spelled."""
    return not spellings(extension(name).lstrip(".")).isdisjoint(endings)


def numbered(name: str, number: int) -> str:
    """``report (2).pdf`` for ``report.pdf``, clean; of a long name the stem gives way, never the number."""
    stem, suffix = _parts(name)
    ending = f" ({number}){suffix}"
    room = MAX_BYTES - len(ending.encode())
    return clean(stem.encode()[:room].decode(errors="ignore").rstrip(". \u200c\u200d") + ending)


def numbered_category(name: str, number: int) -> str:
    """``reports (2)`` for ``reports``; of a long name the letters give way, never the number."""
    ending = f" ({number})"
    return normal(name[: MAX_CATEGORY - len(ending)].rstrip() + ending)


def title_of(filename: str) -> str:
    """A title to start with: `weather_report.csv` gives `weather report`. What follows the dot of a number stays."""
    name = clean(filename)
    stem, suffix = _parts(name)
    stem = stem if re.search("[^0-9.]", suffix) else name
    title = " ".join(stem.replace("_", " ").split())
    return title if is_seen(title) else name


def ascii_fallback(name: str) -> str:
    """The name for `filename="…"`: printable ASCII that needs no escape; accented letters become plain."""
    stem, suffix = _parts(clean(name))
    return _harmless(((_plain(stem).lstrip(". ") or NAMELESS) + _plain(suffix)).rstrip(". "))


def _plain(text: str) -> str:
    ascii_only = normalize("NFKD", text.translate(_SPELLED)).encode("ascii", "ignore").decode()
    return re.sub(" +", " ", re.sub(r'["\\/%;]', "_", ascii_only))


def content_disposition(name: str, disposition: str = "attachment") -> str:
    """The header of RFC 6266, with `filename*` as in RFC 8187 where ASCII does not say it all. ASCII, never raises.

    DISPOSITION is `attachment` or `inline`; anything else is answered with `attachment`. A name that Windows would take
    for a device gets an underscore in front.
    """
    kind = "inline" if disposition == "inline" else "attachment"
    full, plain = _harmless(clean(name)), ascii_fallback(name)
    header = f'{kind}; filename="{plain}"'
    return header if plain == full else f"{header}; filename*=UTF-8''{quote(full, safe='!#$&+-.^_`|~')}"


def archive_name(name: str) -> str:
    """One component of a path inside a zip, which unpacks on every system; two names may come out equal."""
    return _harmless(clean(re.sub(r'[<>:"|?*/\\]', "_", name)))


def _harmless(name: str) -> str:
    return f"_{name}" if _SPECIAL_ON_WINDOWS.fullmatch(name) else name


def mixes_scripts(name: str) -> bool:
    """Whether a word of NAME has letters of several scripts, as one that is made to look like another has (UTS 39).

    Words by themselves, for a Cyrillic name has a Latin extension. It is a hint: `kΩ` mixes scripts too.
    """
    bare = "".join(character for character in name if category(character) not in _ATTACHED)
    return any(len({_script(letter) for letter in word} - _COMBINED) > 1 for word in _WORD.findall(bare))


def _script(letter: str) -> str:
    """What the name of a letter in Unicode begins with, such as CYRILLIC; "" for digits and forms such as `µ`."""
    is_own = category(letter) in _LETTERS and normalize("NFKC", letter) == letter
    return name_of(letter, "").partition(" ")[0] if is_own else ""


def is_seen(text: str) -> bool:
    """Whether there is anything to see of TEXT: a letter, a digit or a sign."""
    return any(category(character)[0] in "LNPS" and character not in _WHITE for character in text)


def turns(text: str) -> bool:
    """Whether TEXT has marks in it that change the direction of what follows, which may be more than TEXT itself."""
    return bool(_TURNING.search(text))


def category_name_problem(name: str) -> str | None:
    """The sentence that says why NAME, in NFC, cannot name a category; None when it can."""
    problems = (
        (not is_seen(name), "A category needs a name."),
        (
            len(name) > _MAX_CHARACTERS or len(normal(name)) > MAX_CATEGORY,
            f"A category name has at most {MAX_CATEGORY} characters.",
        ),
        ("/" in name, "A category name cannot contain “/”. Make one category inside the other instead."),
        (_UNNAMEABLE.search(name), "A category name cannot contain line breaks or other control characters."),
        (name != name.strip(), "A category name cannot begin or end with a space."),
        (name in _RESERVED, f"“{name}” has a meaning of its own in addresses. Choose another name."),
    )
    return next((sentence for is_so, sentence in problems if is_so), None)
