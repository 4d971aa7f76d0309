"""What an import came to: figures, problems in words, and a line for each file where somebody wants one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["added", "versioned", "unchanged", "resumed", "vanished", "refused"]
"""New; in a new version; as it was; taken by an import before that broke off; gone from disk; not taken."""


@dataclass(frozen=True)
class FileLine:
    """What became of one file: its path in the directory, its document (None for none), why it was not taken."""

    path: str
    outcome: Outcome
    document_id: int | None = None
    problem: str = ""


@dataclass
class Report:
    """An import in documents; ``problems`` are sentences about what could not be taken.

    ``described`` are those of which the metadata said something that was not known, ``ignored`` and ``skipped`` files
    and folders that were left out: because a pattern says so, and because they can be no documents.
    """

    added: int = 0
    versioned: int = 0
    unchanged: int = 0
    resumed: int = 0
    vanished: int = 0
    described: int = 0
    ignored: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def documents(self) -> int:
        """How many documents the directory is by now."""
        return self.added + self.versioned + self.unchanged + self.resumed


class Reporter:
    """Keeps the report, and hands each line on to whoever wants them."""

    def __init__(self, tell: Callable[[FileLine], None] | None = None) -> None:
        self.report = Report()
        self._tell = tell

    def count(self, outcome: Outcome, path: str, document_id: int | None = None) -> None:
        """One more document."""
        setattr(self.report, outcome, getattr(self.report, outcome) + 1)
        self._say(FileLine(path, outcome, document_id))

    def refuse(self, path: str, what: str, sentence: str) -> None:
        """One file that was not taken."""
        self.report.problems.append(f"{path!r} {what}: {sentence}")
        self._say(FileLine(path, "refused", problem=sentence))

    def complain(self, sentence: str) -> None:
        """Something that is about no single file."""
        self.report.problems.append(sentence)

    def _say(self, line: FileLine) -> None:
        if self._tell is not None:
            self._tell(line)
