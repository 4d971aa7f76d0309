"""What a command says when it cannot do what it was asked: one line, never a trace."""

from typing import Any

import click
from sqlalchemy.exc import DBAPIError

from portal.errors import PortalError


class Refusal(click.ClickException):
    """One sentence on stderr, exit status 1."""

    def show(self, file: Any = None) -> None:
        """Print the sentence alone, without a word in front of it."""
        click.echo(self.message, err=True)


class Commands(click.Group):
    """A group of commands under which every expected failure ends as one sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what the portal, its database or the system refuse becomes a Refusal."""
        try:
            return super().invoke(ctx)
        except PortalError as problem:
            raise Refusal(problem.sentence) from problem
        except DBAPIError as problem:
            raise Refusal(f"The database refuses: {first_line(problem.orig)}.") from problem
        except BrokenPipeError:
            raise  # whoever read our output has read enough; click knows what to do
        except OSError as problem:
            raise Refusal(sentence_of(problem)) from problem


def sentence_of(problem: OSError) -> str:
    """What the system refused, and of which file."""
    reason = problem.strerror or str(problem)
    return f"{problem.filename}: {reason}." if problem.filename else f"{reason}."


def first_line(problem: BaseException | None) -> str:
    """The reason a driver gives, without statements and values, which may be personal."""
    lines = str(problem).strip().splitlines() or ["no reason given"]
    return lines[0].rstrip(".")
