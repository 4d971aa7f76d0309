"""Addresses: the client behind proxies, and the network it is counted by."""

from ipaddress import ip_network

import pytest

from portal.networks import client_address, is_trusted, network_of

TRUSTED = (ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("127.0.0.1", "127.0.0.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("", "unknown"),
        ("localhost", "unknown"),
        ("192.0.2.077", "unknown"),
        ("192.0.2.77:443", "unknown"),
    ],
)
def test_an_address_is_counted_by_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        pytest.param("192.0.2.7", None, "192.0.2.7", id="no proxy"),
        pytest.param("192.0.2.7", "203.0.113.9", "192.0.2.7", id="a stranger's header is not read"),
        pytest.param("127.0.0.1", "203.0.113.9", "203.0.113.9", id="one proxy"),
        pytest.param("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9", id="what the client itself claims"),
        pytest.param("127.0.0.1", "203.0.113.9, 10.1.2.3", "203.0.113.9", id="two proxies"),
        pytest.param("127.0.0.1", "198.51.100.1, 203.0.113.9,10.1.2.3", "203.0.113.9", id="two and a claim"),
        pytest.param("127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9", id="trusted all the way"),
        pytest.param("127.0.0.1", "", "127.0.0.1", id="an empty header"),
        pytest.param("127.0.0.1", " , ,", "127.0.0.1", id="a header without addresses"),
        pytest.param("127.0.0.1", "203.0.113.9, nonsense", "nonsense", id="what is no address is nobody's proxy"),
        pytest.param("2001:db8:1::5", "2001:db8:2::9", "2001:db8:2::9", id="IPv6"),
        pytest.param("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9", id="a proxy seen by a socket for both"),
        pytest.param("", "203.0.113.9", "", id="a unix socket that nobody trusts"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(
    peer: str, forwarded_for: str | None, client: str
) -> None:
    assert client_address(peer, forwarded_for, TRUSTED) == client


@pytest.mark.parametrize(
    ("peer", "is_ours"),
    [("10.255.0.1", True), ("11.0.0.1", False), ("::ffff:10.0.0.1", True), ("2001:db8:1:f::1", True), ("", False)],
)
def test_only_listed_proxies_are_trusted(peer: str, is_ours: bool) -> None:
    assert is_trusted(peer, TRUSTED) == is_ours
    assert not is_trusted(peer, ())
