"""Absolute addresses."""

import pytest

from portal.addresses import absolute, default_base_url, is_private, setup_address, share_address


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
