"""The lines a server writes: nothing secret readable, nothing forged."""

import logging
import subprocess
import sys
from datetime import timedelta
from select import PIPE_BUF
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.cli.logs import Messages, access_line, at_once, masked, one_line
from portal.tokens import make_token
from tests.forking import ROOT

TOKEN = "AbCdEf-_0123456789abcdefghijklmnopqrstuvwxy"
TOOK = timedelta(milliseconds=12.4)
ADDRESSES = ["/s/{}", "/t/{}", "/setup/{}"]


def line(path: str, **environ: str) -> str:
    values = {"REQUEST_METHOD": "GET", "RAW_URI": path, "HTTP_USER_AGENT": "curl/8.1"} | environ
    return access_line(values, "203.0.113.0/24", "200", 5213, TOOK)


def test_a_line_tells_who_asked_for_what_and_what_came_of_it() -> None:
    moment, rest = line("/search?q=tax").split(" ", 1)
    assert len(moment) == len("2026-11-22T20:26:46.409Z")
    assert moment.endswith("Z")
    assert rest == '203.0.113.0/24 GET /search?q=tax 200 5213 12ms "curl/8.1"'


def test_a_request_nobody_could_read_has_a_line_too() -> None:
    assert access_line({}, "unknown", "400", 0, TOOK).endswith('unknown - - 400 0 12ms ""')


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "where",
    [
        "{}",
        "{}/download",
        "{}?x=1",
        "/login?next={}",
        "/login?next={quoted}",
        "/login?next={twice}",
        "/login?a=1&next={quoted}&b=2",
        "http://elsewhere.example{}",
        "//portal{}#top",
    ],
)
def test_a_token_is_masked_after_six_characters_wherever_it_stands(address: str, where: str) -> None:
    path = address.format(TOKEN)
    quoted = quote(path, safe="")
    text = one_line(where.format(path, quoted=quoted, twice=quote(quoted, safe="")))
    assert TOKEN[:6] + "…" in text
    assert TOKEN[:7] not in text
    assert TOKEN[7:] not in text


@pytest.mark.parametrize(
    "hidden",
    [
        "/%73/" + TOKEN,
        "/s/" + "".join(f"%{ord(character):02x}" for character in TOKEN),
        "/S/" + TOKEN,
        "/x?token=" + TOKEN,
        "/x?" + TOKEN,
        "/uploads/" + TOKEN,
    ],
)
def test_a_token_is_masked_under_other_spellings(hidden: str) -> None:
    text = masked(hidden)
    assert TOKEN[:6] + "…" in text
    assert TOKEN[7:20] not in text


@pytest.mark.parametrize("where", ["?code={}&state=x", "?state=x&code={}", "?x=1&code={}#top"])
def test_what_somebody_brings_back_from_a_provider_is_masked(where: str) -> None:
    text = masked("/login/provider/callback" + where.format("SplxlOBeZQQYbYS6WxSbIA.1"))
    assert "code=SplxlO…" in text
    assert "BeZQQ" not in text


@pytest.mark.parametrize("short", ["/s/abc", "/s/abcdef"])
def test_what_is_shorter_than_a_mask_stays(short: str) -> None:
    assert masked(short) == short


@pytest.mark.parametrize(
    "path",
    [
        "/documents/202de685-1dcb-4272-9aff-3dc10b65ef77/download",
        "/get-report/2013/feb/weather/weather_report.csv",
        "/categories/Cedar%20Bakery/Annual%20accounts",
        "/statistics/annual-accounts-of-the-second-year.pdf",
    ],
)
def test_other_paths_stay_as_they_are(path: str) -> None:
    assert masked(path) == path


def test_masking_twice_is_masking_once() -> None:
    once = masked(f"/login?next=/s/{TOKEN}")
    assert masked(once) == once


@pytest.mark.parametrize(
    ("given_text", "written"),
    [
        ("a\nb\r\x00\x1b[31m\x7f", r"a\nb\r\x00\x1b[31m\x7f"),
        ("a\u2028b\x85\u202e\ufeff", r"a\u2028b\x85\u202e\ufeff"),
        ("Zoë 文 ok", "Zoë 文 ok"),
    ],
)
def test_what_cannot_be_seen_is_escaped(given_text: str, written: str) -> None:
    assert one_line(given_text) == written


def test_a_line_is_never_longer_than_what_a_pipe_keeps_together() -> None:
    assert at_once("é" * 100) == "é".encode() * 100 + b"\n"
    longest = at_once("é" * 5000 + '"')
    assert PIPE_BUF - 1 <= len(longest) <= PIPE_BUF
    assert longest.endswith(b'..."\n')
    assert longest.count(b"\n") == 1


def test_what_came_of_a_long_address_is_told_all_the_same() -> None:
    written = line("/search?q=" + "%E6%9D%B1" * 900)

    assert written.endswith('... 200 5213 12ms "curl/8.1"')
    assert len(written) < PIPE_BUF


def test_with_stdout_closed_nothing_starts_for_its_number_would_go_to_another_file() -> None:
    command = 'exec "$0" -m portal.cli --help >&-'
    done = subprocess.run(["sh", "-c", command, sys.executable], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr[:6]) == (1, "stdout")


def test_an_agent_cannot_end_its_quotes() -> None:
    assert line("/", HTTP_USER_AGENT='a" 200 "b\\').endswith(r'"a\" 200 \"b\\"')


@given(st.text(), st.text())
def test_every_request_is_one_line_of_what_can_be_seen(path: str, agent: str) -> None:
    written = line(path, HTTP_USER_AGENT=agent)
    assert written.isprintable()


@given(st.sampled_from(ADDRESSES), st.text(alphabet="/?&=%2Fs.", max_size=20), st.text(max_size=5))
def test_no_token_is_readable_whatever_stands_around_it(address: str, before: str, after: str) -> None:
    token = make_token()
    assert token not in line(f"{before}{address.format(token)}/{after}")


def test_a_message_is_one_line_and_the_trace_below_it_is_masked_and_set_in() -> None:
    try:
        raise ValueError(f"/s/{TOKEN}\nforged 200")
    except ValueError as problem:
        info = (type(problem), problem, problem.__traceback__)
    record = logging.LogRecord("portal", logging.ERROR, __file__, 1, "on %s", (f"/t/{TOKEN}\nforged",), info)
    first, *trace = Messages().format(record).splitlines()
    assert first.endswith(rf"Z ERROR on /t/{TOKEN[:6]}…\nforged")
    assert trace[0] == "  Traceback (most recent call last):"
    assert all(written.startswith("  ") for written in trace)
    assert TOKEN not in "\n".join([first, *trace])
