"""Absolute addresses."""

import pytest

from portal.addresses import (
    absolute,
    default_base_url,
    is_private,
    origin,
    passkey_host,
    setup_address,
    share_address,
)


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("127.0.0.1", 8000, "http://127.0.0.1:8000"),
        ("::1", 8000, "http://[::1]:8000"),
        ("portal.example.org", 8080, "http://portal.example.org:8080"),
        ("127.0.0.1", 80, "http://127.0.0.1"),
        ("::", 80, "http://[::]"),
    ],
)
def test_a_server_is_reached_at_its_host_and_port(host: str, port: int, address: str) -> None:
    assert default_base_url(host, port) == address


def test_an_address_begins_with_the_base_url() -> None:
    assert absolute("https://portal.example.org", "/s/x") == "https://portal.example.org/s/x"


def test_without_a_base_url_an_address_is_where_the_server_listens_by_default() -> None:
    assert absolute("", "/s/x") == "http://127.0.0.1:8000/s/x"


def test_a_path_is_encoded_but_for_its_slashes() -> None:
    assert absolute("http://h", "/categories/Ä b/50%?#") == "http://h/categories/%C3%84%20b/50%25%3F%23"


def test_tokens_stand_at_the_end_of_their_addresses() -> None:
    assert setup_address("http://h", "a_-1") == "http://h/setup/a_-1"
    assert share_address("http://h", "a_-1") == "http://h/s/a_-1"


@pytest.mark.parametrize(
    ("base_url", "is_so"),
    [
        ("https://portal.example.org", True),
        ("http://127.0.0.1:8000", True),
        ("http://127.1.2.3", True),
        ("http://[::1]:8000", True),
        ("http://localhost", True),
        ("http://portal.localhost:8000", True),
        ("http://portal.example.org", False),
        ("http://0.0.0.0:8000", False),
        ("http://[::]:8000", False),
        ("http://192.168.1.5:8000", False),
        ("http://localhost.example.org", False),
    ],
)
def test_only_https_and_loopback_are_private(base_url: str, is_so: bool) -> None:
    assert is_private(base_url) is is_so


@pytest.mark.parametrize(
    ("base_url", "written"),
    [
        ("https://docs.example.org", "https://docs.example.org"),
        ("https://Docs.Example.ORG:443", "https://docs.example.org"),
        ("http://localhost:80", "http://localhost"),
        ("https://docs.example.org:80", "https://docs.example.org:80"),
        ("https://b\u00fccher.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(base_url: str, written: str) -> None:
    assert origin(base_url) == written


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://Docs.example.org:8443", "docs.example.org"),
        ("https://b\u00fccher.example", "xn--bcher-kva.example"),
        ("http://localhost:8000", "localhost"),
        ("http://portal.localhost", "portal.localhost"),
        ("http://docs.example.org", ""),
        ("http://127.0.0.1:8000", ""),
        ("https://192.0.2.1", ""),
        ("https://[2001:db8::1]", ""),
        ("", ""),
    ],
)
def test_passkeys_belong_to_a_name_that_is_reached_privately(base_url: str, host: str) -> None:
    assert passkey_host(base_url) == host
