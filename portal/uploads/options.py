"""What an operator may ask for when importing a directory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from portal.uploads.ignoring import Ignored
from portal.uploads.metadata import NOTHING, Metadata
from portal.uploads.reporting import FileLine


def _ignore_nothing() -> Ignored:
    return Ignored(())


@dataclass(frozen=True)
class Options:
    """What to leave out, what a CSV says of the documents and where that CSV lies, and who wants a line per file."""

    ignored: Ignored = field(default_factory=_ignore_nothing)
    metadata: Metadata = NOTHING
    metadata_file: Path | None = None
    tell: Callable[[FileLine], None] | None = None

    def without(self, directory: Path) -> frozenset[str]:
        """Paths below the directory that are no documents: the CSV itself, when it lies beside the files."""
        if self.metadata_file is None:
            return frozenset()
        file, directory = self.metadata_file.resolve(), directory.resolve()
        return frozenset({file.relative_to(directory).as_posix()} if file.is_relative_to(directory) else ())
