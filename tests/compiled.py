"""What is worked out only once in a process of tests, as in one long-lived server: templates, SQL and addresses.

Each test has an application of its own, and would otherwise pay for all of it again.
"""

from collections.abc import Callable
from types import CodeType
from typing import Any, ClassVar

from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule

from portal.models import Base


class Templates(BytecodeCache):
    """Templates by their source: one that changed is compiled anew."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, CodeType | None]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what was compiled from the very same source."""
        checksum, code = self._kept.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        self._kept[bucket.key] = (bucket.checksum, bucket.code)


class Statements(dict[Any, Any]):
    """SQL by its statement and the name of the dialect, where SQLAlchemy asks by the dialect of one engine."""

    def get(self, key: Any, default: Any = None) -> Any:
        """What was compiled, for whichever engine."""
        dialect, *rest = key
        return super().get((dialect.name, *rest), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        """Keep what was compiled."""
        dialect, *rest = key
        super().__setitem__((dialect.name, *rest), compiled)


class KeptRule(Rule):
    """An address whose building is compiled once; Werkzeug does it with ``compile()``, half a millisecond a rule."""

    _kept: ClassVar[dict[tuple[object, ...], Callable[..., tuple[str, str]]]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (self.rule, self.subdomain, repr(self.defaults), append_unknown)
        if key not in self._kept:
            self._kept[key] = super()._compile_builder(append_unknown)
        return self._kept[key]


TEMPLATES = Templates()
STATEMENTS = Statements()
Flask.url_rule_class = KeptRule
for mapper in Base.registry.mappers:
    mapper._compiled_cache = STATEMENTS  # what is flushed is kept by the mapper, beside what the engine keeps
