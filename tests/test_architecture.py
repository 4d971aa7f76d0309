"""The walls of the house: who may import whom, who may open bytes, and what nobody does. Each rule is shown to bite."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up: a room imports from the floors below its own, and from nowhere else but itself.
FLOORS: list[set[str]] = [
    {"errors", "addresses"},
    {"mailservers", "programs", "zones"},
    {"settings", "filenames", "ranges", "actors", "tokens", "networks", "direct", "sizes", "cells", "storage"},
    {"prepared"},
    {"archives", "openid"},
    {"models"},
    {"extensions", "schema"},
    {"access", "audit", "jobs"},
    {"reach"},
    # The only writers, one on top of the other.
    {"notices"},
    {"accounts"},
    {"search"},
    {"catalog"},
    {"downloads"},
    {"shares"},
    {"previews"},
    {"uploads"},
    {"deliveries"},
    {"integrity"},
    # The only rooms that know a request.
    {"views", "api", "dav", "cli"},
    {"portal"},  # portal/__init__.py: the wiring
]
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}
DOORS = {"views", "api", "dav"}
KNOW_FLASK = {"extensions", "cli", "portal"} | DOORS
WEB = re.compile(r"(flask|flask_[a-z]+|werkzeug)(\.|$)")

OPENERS = {"open", "fdopen", "open_bytes", "read_bytes", "read_text", "write_bytes", "write_text"}
SENDERS = {"send_file", "send_from_directory"}
# Who opens files, beside storage/ itself; what is stored is opened by asking storage/ to.
MAY_OPEN = {
    "portal/settings/reading.py": {"read_text"},  # its own files
    "portal/settings/keeping.py": {"open", "fdopen", "read_text"},  # the secret it makes
    "portal/downloads/looking.py": {"open"},
    "portal/downloads/sending.py": {"open_bytes"},
    "portal/downloads/members.py": {"open_bytes"},  # each member of a zip by the door beside it
    "portal/downloads/delegations.py": {"open_bytes"},
    "portal/downloads/following.py": {"open"},  # the log of a proxy
    "portal/downloads/workers.py": {"read_text"},  # what the kernel says of processes
    "portal/previews/making.py": {"open_bytes"},
    "portal/previews/fenced/running.py": {"open"},  # which must fail there
    "portal/previews/fenced/packed.py": {"open"},
    "portal/previews/fenced/pictures.py": {"open"},  # in the child: the descriptor it was given, all that it has
    "portal/uploads/importing.py": {"open"},  # what an operator imports, through a source
    "portal/uploads/foreseeing.py": {"open"},  # whether it could be
    "portal/cli/distributing.py": {"read_bytes"},  # the CSV an operator names
    "portal/cli/importing.py": {"open", "read_bytes"},  # the CSV an operator names, and the report they want
    "portal/views/assets.py": {"read_bytes"},  # our own stylesheet and scripts
    "portal/views/delivery.py": {"send_from_directory"},  # its headers; what is streamed is the checked handle
    "portal/cli/demo/__init__.py": {"read_text", "write_text"},  # the passwords it prints
}
# The one door that writes: it logs whom it turned away.
MAY_WRITE = {"portal/views/guard.py"}
MAY_OPEN_ALL = {"storage", "integrity"}

HOMELESS = re.compile(r"(utils?|helpers?|common|services?|misc)$")
RAW_TEMPLATE = re.compile(r"\|\s*safe\b|autoescape\s+false|\bMarkup\b")


@dataclass(frozen=True)
class Module:
    """One Python file, by its path below the root."""

    path: str
    tree: ast.Module

    @property
    def parts(self) -> list[str]:
        """The dotted name: portal/catalog/refs.py is portal, catalog, refs."""
        parts = self.path.removesuffix(".py").split("/")
        return parts[:-1] if parts[-1] == "__init__" else parts

    @property
    def room(self) -> str:
        return self.parts[1] if len(self.parts) > 1 else self.parts[0]

    @property
    def imports(self) -> list[str]:
        """The dotted names of the modules it imports; of two readings of ``from a import b`` the longer one."""
        found: list[str] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, "relative imports hide who imports whom"
                found += [f"{node.module}.{alias.name}" for alias in node.names]
        return found

    @property
    def calls(self) -> set[str]:
        """The last names of everything that is called."""
        functions = [node.func for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        names = {function.id for function in functions if isinstance(function, ast.Name)}
        return names | {function.attr for function in functions if isinstance(function, ast.Attribute)}


def problems_of(path: str, source: str) -> list[str]:
    """Everything a Python file of the portal or of the migrations does that it should not."""
    module = Module(path, ast.parse(source))
    rules = [imports_inside_functions, imports_of_data]
    if module.parts[0] == "portal":
        rules += [wrong_floors, web_in_the_core, opened_bytes, transactions_of_doors, loose_talk, raw_pages, homeless]
    else:
        rules += [models_in_history]
    return [f"{path}: {problem}" for rule in rules for problem in rule(module)]


def wrong_floors(module: Module) -> Iterator[str]:
    own = FLOOR.get(module.room)
    if own is None:
        yield f"the room {module.room} stands on no floor"
        return
    for name in module.imports:
        if name.split(".")[0] != "portal":
            continue
        room = room_of(name)
        may = room == module.room or FLOOR[room] < own or (module.room, room) == ("cli", "portal")
        may = may or name == "portal.__version__"
        if not may or (module.room, room) == ("portal", "cli"):
            yield f"{module.room} imports {room}"


def room_of(name: str) -> str:
    """The room of an imported name: ``portal.access`` and what is in it; ``portal.create_app`` is the wiring."""
    second = name.split(".")[1] if "." in name else ""
    return second if second in FLOOR else "portal"


def web_in_the_core(module: Module) -> Iterator[str]:
    if module.room not in KNOW_FLASK:
        yield from (f"imports {name} in the core" for name in module.imports if WEB.match(name))


def imports_inside_functions(module: Module) -> Iterator[str]:
    functions = [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function)):
            yield f"an import inside {function.name}"


def imports_of_data(module: Module) -> Iterator[str]:
    yield from (f"imports {name}, which is data" for name in module.imports if name.split(".")[0] == "config")


def models_in_history(module: Module) -> Iterator[str]:
    if module.path.startswith("migrations/versions/"):
        yield from (f"imports {name} into history" for name in module.imports if name.split(".")[0] == "portal")


def opened_bytes(module: Module) -> Iterator[str]:
    if module.room not in MAY_OPEN_ALL:
        wrong = module.calls & (OPENERS | SENDERS) - MAY_OPEN.get(module.path, set())
        yield from (f"calls {name}()" for name in sorted(wrong))


def transactions_of_doors(module: Module) -> Iterator[str]:
    is_door = module.room in DOORS and module.path not in MAY_WRITE
    if is_door and "portal.extensions.transaction" in module.imports:
        yield "a door opens a transaction"


def loose_talk(module: Module) -> Iterator[str]:
    if module.room != "cli" and "print" in module.calls:
        yield "prints"


def raw_pages(module: Module) -> Iterator[str]:
    # Markup is looked after by ruff (S704), which lets constants pass.
    raw = module.calls & ({"render_template_string", "from_string"} if module.room in KNOW_FLASK else set())
    yield from (f"calls {name}(), which escapes nothing" for name in sorted(raw))


def homeless(module: Module) -> Iterator[str]:
    yield from (f"{part} is no noun" for part in module.parts if HOMELESS.match(part))


def python_files() -> list[str]:
    found = [file for folder in ("portal", "migrations") for file in (ROOT / folder).rglob("*.py")]
    return sorted(file.relative_to(ROOT).as_posix() for file in [*found, ROOT / "wsgi.py"])


@pytest.mark.parametrize("path", python_files())
def test_a_file_keeps_the_rules_of_the_house(path: str) -> None:
    assert problems_of(path, (ROOT / path).read_text(encoding="utf-8")) == []


def test_the_whole_house_is_looked_at() -> None:
    rooms = {Module(path, ast.parse("")).room for path in python_files() if path.startswith("portal/")}
    assert rooms >= {"portal", "storage", "models", "extensions", "access", "accounts", "catalog", "views", "cli"}


def test_no_permission_to_open_files_outlives_its_use() -> None:
    for path, names in MAY_OPEN.items():
        module = Module(path, ast.parse((ROOT / path).read_text(encoding="utf-8")))
        assert names <= module.calls, path


@pytest.mark.parametrize(
    "template", sorted((ROOT / "portal" / "templates").rglob("*.html")), ids=lambda file: file.name
)
def test_a_template_escapes_everything(template: Path) -> None:
    assert RAW_TEMPLATE.search(template.read_text(encoding="utf-8")) is None


BAD = [
    ("portal/errors/kinds.py", "from portal.settings import Settings", "errors imports settings"),
    ("portal/storage/local.py", "from portal import filenames", "storage imports filenames"),
    ("portal/filenames.py", "from portal.archives import MANIFEST", "filenames imports archives"),
    ("portal/archives/layout.py", "from portal.models import Version", "archives imports models"),
    ("portal/archives/layout.py", "handle = open(path, 'rb')", "calls open()"),
    ("portal/models/people.py", "from portal.extensions import db", "models imports extensions"),
    ("portal/access.py", "from portal import audit", "access imports audit"),
    ("portal/audit/recording.py", "import portal.access", "audit imports access"),
    ("portal/accounts/people.py", "from portal.catalog import get_category", "accounts imports catalog"),
    ("portal/catalog/listing.py", "from portal.shares.links import add_link", "catalog imports shares"),
    ("portal/catalog.py", "from portal.views import pages", "catalog imports views"),
    ("portal/views/guard.py", "from portal.cli import main", "views imports cli"),
    ("portal/api/documents.py", "from portal.views.guard import guard", "api imports views"),
    ("portal/views/pages.py", "from portal import create_app", "views imports portal"),
    ("portal/accounts/people.py", "import portal", "accounts imports portal"),
    ("portal/__init__.py", "from portal.cli import main", "portal imports cli"),
    ("portal/reports.py", "", "the room reports stands on no floor"),
    ("portal/catalog/refs.py", "from flask import request", "imports flask.request in the core"),
    ("portal/access.py", "import flask_login", "imports flask_login in the core"),
    ("portal/storage/files.py", "from werkzeug.utils import secure_filename", "in the core"),
    ("portal/access.py", "if True:\n    import werkzeug", "imports werkzeug in the core"),
    ("portal/access.py", "def f():\n    import os", "an import inside f"),
    ("portal/access.py", "class A:\n    async def f(self):\n        from os import path", "an import inside f"),
    ("migrations/env.py", "def run():\n    import os", "an import inside run"),
    ("portal/cli/serve.py", "import config.gunicorn", "imports config.gunicorn, which is data"),
    ("migrations/versions/a.py", "from portal.models import User", "imports portal.models.User into history"),
    ("migrations/versions/a.py", "import portal", "imports portal into history"),
    ("portal/catalog/editions.py", "handle = open(path, 'rb')", "calls open()"),
    ("portal/shares/links.py", "os.open(path, os.O_RDONLY)", "calls open()"),
    ("portal/views/documents.py", "storage().open(sha256, size)", "calls open()"),
    ("portal/views/documents.py", "data = Path(path).read_bytes()", "calls read_bytes()"),
    ("portal/views/shares.py", "return send_file(path)", "calls send_file()"),
    ("portal/views/shares.py", "flask.send_from_directory(directory, name)", "calls send_from_directory()"),
    ("portal/views/account.py", "from portal.extensions import transaction", "a door opens a transaction"),
    ("portal/downloads/ledger.py", "print('here')", "prints"),
    ("portal/views/pages.py", "render_template_string(text)", "escapes nothing"),
    ("portal/views/pages.py", "app.jinja_env.from_string(text)", "escapes nothing"),
    ("portal/catalog/utils.py", "", "utils is no noun"),
    ("portal/helpers.py", "", "helpers is no noun"),
    ("portal/services/mail.py", "", "services is no noun"),
]


@pytest.mark.parametrize(("path", "source", "problem"), BAD)
def test_each_rule_bites(path: str, source: str, problem: str) -> None:
    assert any(problem in found for found in problems_of(path, source))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("portal/storage/local.py", "from portal.errors import StorageFailed\nos.open(path, 0)"),
        ("portal/archives/names.py", "from portal.filenames import archive_name"),
        (
            "portal/catalog/listing.py",
            "from portal import access, audit, search\nfrom portal.catalog.refs import parse_id",
        ),
        ("portal/cli/installation.py", "from portal import create_app, schema\nfrom flask import Flask\nprint(1)"),
        ("portal/__init__.py", "from portal import views\nfrom portal.extensions import db"),
        ("portal/access.py", "from portal.models import READ\nreopen(1)"),
        ("migrations/env.py", "from portal.models import Base"),
    ],
)
def test_what_is_allowed_is_not_bitten(path: str, source: str) -> None:
    assert problems_of(path, source) == []


@pytest.mark.parametrize(
    "text", ["{{ title|safe }}", "{{ title | safe }}", "{% autoescape false %}", "{{ Markup(title) }}"]
)
def test_the_rule_for_templates_bites(text: str) -> None:
    assert RAW_TEMPLATE.search(text)
    assert RAW_TEMPLATE.search("{{ title }} is safe") is None
