"""What of a directory is left out: patterns as in a ``.gitignore``. Pure."""

from collections.abc import Iterable

from pathspec import GitIgnoreSpec

from portal.errors import BadInput

MOST_PATTERNS = 1_000


class Ignored:
    """The paths that some patterns mean; the last that fits decides, and ``!`` in front takes a path back in."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises BadInput for a pattern that means nothing, and for far too many."""
        self.patterns = [pattern for pattern in (line.strip() for line in patterns) if pattern]
        if len(self.patterns) > MOST_PATTERNS:
            raise BadInput(f"Give at most {MOST_PATTERNS:,} patterns of what to leave out.")
        for pattern in self.patterns:
            _require_pattern(pattern)
        self._spec = GitIgnoreSpec.from_lines(self.patterns)

    def has(self, path: str) -> bool:
        """Whether a file of this path, relative to the directory, is left out."""
        return bool(self.patterns) and self._spec.match_file(path)

    def has_folder(self, path: str) -> bool:
        """The same of a folder: then nothing that is in it is taken."""
        return self.has(f"{path}/")


def _require_pattern(pattern: str) -> None:
    if "\n" in pattern or "\0" in pattern:
        raise BadInput("A pattern of what to leave out is one line of text.")
    try:
        GitIgnoreSpec.from_lines([pattern])
    except ValueError as problem:
        raise BadInput(f"{pattern!r} is no pattern of paths, as in a .gitignore.") from problem
