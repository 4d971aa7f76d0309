"""Names inside a zip: safe on every system, and each of them once.

A zip may say ``../x``, ``CON``, or the same name twice, and not every program that unpacks it objects. Ours says none.
"""

from collections.abc import Iterable, Iterator

from portal.filenames import archive_name, normal, numbered

MANIFEST = "MANIFEST.csv"
CHECKSUMS = "SHA256SUMS"


def unique_names(paths: Iterable[str]) -> list[str]:
    """The name inside the zip of each document at a path such as ``2018/feb/Ωmega report.pdf``, in the same order.

    Relative, with single slashes, every component safe on every system and at most 255 bytes of UTF-8. No two names
    differ only by case or by the form of their accents, none is that of a folder, none is MANIFEST or CHECKSUMS; a
    later one gives way as ``name (2).ext``. The same paths in the same order give the same names.
    """
    paths = list(paths)
    folders = {folder: _folder(folder) for folder in {path.rpartition("/")[0] for path in paths}}
    taken = {_key(MANIFEST), _key(CHECKSUMS), *(_key(above) for folder in folders.values() for above in _above(folder))}
    numbers: dict[str, int] = {}
    return [_take(folders[folder], archive_name(filename), taken, numbers) for folder, filename in _places(paths)]


def _places(paths: list[str]) -> Iterator[tuple[str, str]]:
    """Folder and filename of each, in order. Paths can be very many: they are gone when their names are there."""
    paths.reverse()
    while paths:
        folder, _, filename = paths.pop().rpartition("/")
        yield folder, filename


def _folder(path: str) -> str:
    """Empty, or the folder with a slash at its end; components that name nothing, or what is above, are left out."""
    parts = [archive_name(part) for part in path.split("/") if part.strip(". ")]
    if parts and _key(parts[0]) in (_key(MANIFEST), _key(CHECKSUMS)):
        parts[0] = numbered(parts[0], 2)
    return "".join(f"{part}/" for part in parts)


def _above(folder: str) -> Iterator[str]:
    """The folder itself and those it is in, without the slash at their ends."""
    return (folder[:at] for at, character in enumerate(folder) if character == "/")


def _take(folder: str, filename: str, taken: set[str], numbers: dict[str, int]) -> str:
    """The first name that is free, which then is taken; `numbers` remembers where to go on, whatever the crowd."""
    name = first = folder + filename
    while _key(name) in taken:
        numbers[first] = numbers.get(first, 1) + 1
        name = folder + numbered(filename, numbers[first])
    taken.add(_key(name))
    return name


def _key(name: str) -> str:
    """The same for names that some file system takes for one."""
    key = normal(name.casefold())
    return name if key == name else key  # one string where two would be kept
