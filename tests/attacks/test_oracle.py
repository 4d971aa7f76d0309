"""What is demanded of every answer is demanded: each demand is seen to fail."""

import ast
import re
from pathlib import Path

import pytest

from tests import makers
from tests.attacks import oracle
from tests.attacks.oracle import ON_BOTH, OUTSIDE, Answer, Target

pytestmark = pytest.mark.xdist_group("attacks")

LINE = '2026-11-25T22:55:29.819Z 127.0.0.0/24 GET /documents/1 404 893 27ms "curl"\n'
MESSAGE = "2026-11-25T22:55:29Z WARNING ContentUnavailable at GET /documents/1\n"
GROUPS = {
    "test_paths": "001 002 003 005 006 007 009 010 011 013 014 015 017 018 019 021 022 023 025 026 027",
    "test_access": "029 030 031 033 034 035 037 038 039 041 042 043 045 046 047 049 050",
    "test_names": "157 158 159 161 162 163 165 166 167 169 170 171 173 174 175",
    "test_requests": "107 109 110 111 209 230 231",
    "test_ranges": "215 217 218 219 221 222 223 225 226",
    "test_caches": "227 233 234 235 237 238 239",
    "test_framing": "229 230 231 241 242 243",
    "test_links": "051 053 054 055 057 058 059 061 062 063 065 066 067 069 070 071 073 074 075 077 078 079",
    "test_races": "265 266 267 269 270 271 273 274 275",
    "test_resets": "085 086 093 094 095",
    "test_zips": "210",
}
"""The rows of the attack table, by the module that has them."""


@pytest.mark.parametrize("module", sorted(GROUPS))
def test_every_row_of_a_group_is_a_test_or_says_why_not(module: str) -> None:
    tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    tested = {row for node in functions for row in re.findall(r"A(\d{3})", ast.get_docstring(node) or "")}
    excuses = re.findall(r"^((?:A\d{3}(?:, )?)+): ", ast.get_docstring(tree) or "", re.MULTILINE)
    excused = {row for excuse in excuses for row in re.findall(r"\d{3}", excuse)}

    assert all(ast.get_docstring(node) for node in functions)
    assert not tested & excused
    assert set(GROUPS[module].split()) <= tested | excused


@ON_BOTH
def test_a_new_row_is_noticed(target: Target) -> None:
    with pytest.raises(AssertionError), target.untouched(), target.app.app_context():
        makers.category("noticed")
    with target.untouched({"categories", "audit_events"}), target.app.app_context():
        makers.category("allowed")


@pytest.mark.parametrize("name", ["data/tmp/incoming-x", "data/blobs/left", "left.txt"])
def test_a_file_left_behind_is_noticed(target: Target, name: str) -> None:
    left = target.directory / name
    with pytest.raises(AssertionError), target.untouched():
        left.touch()
    left.unlink()


def test_a_changed_file_is_noticed(target: Target) -> None:
    with pytest.raises(AssertionError), target.untouched({"blobs"}):
        (target.directory / "outside.txt").write_bytes(OUTSIDE * 2)
    (target.directory / "outside.txt").write_bytes(OUTSIDE)


def test_looking_changes_nothing(target: Target) -> None:
    target.ask("/", 200)


def test_another_status_is_noticed(target: Target) -> None:
    with pytest.raises(AssertionError):
        target.ask("/nothing", 200)


@pytest.mark.parametrize(
    "body",
    [
        b"Traceback (most recent call last):",
        b'File "/portal/views/download.py", line 3',
        b"SELECT documents.id\nFROM documents",
        b"sqlalchemy.exc.OperationalError",
        b"root:x:0:0:root:/root:/bin/bash",
        OUTSIDE,
    ],
)
def test_what_tells_of_the_inside_is_noticed(body: bytes) -> None:
    for answer in (Answer(200, [], body), Answer(200, [("X-Told", body.decode())], b"")):
        with pytest.raises(AssertionError):
            oracle.require_silence(answer, OUTSIDE)


@pytest.mark.parametrize("missing", sorted(oracle.HEADERS))
def test_a_missing_header_is_noticed(target: Target, missing: str) -> None:
    answer = target.ask("/nothing", 404)
    answer.headers = [(name, value) for name, value in answer.headers if name != missing]

    with pytest.raises(AssertionError):
        oracle.require_headers(answer, is_static=False)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("", ""),
        (LINE * 2, ""),
        (LINE + MESSAGE, ""),
        (LINE, "ContentUnavailable"),
        (LINE.replace("curl", "\x1b[31m"), ""),
    ],
)
def test_a_line_too_few_or_too_many_is_noticed(output: str, told: str) -> None:
    oracle.require_one_line(LINE, 404)
    oracle.require_one_line(MESSAGE + LINE, 404, "ContentUnavailable")
    with pytest.raises(AssertionError):
        oracle.require_one_line(output, 404, told)
