"""Client addresses: who is really there behind proxies, and the network they are counted by. Pure."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str, forwarded_for: str | None, trusted: Sequence[Network]) -> str:
    """The address of the client: the rightmost one in ``X-Forwarded-For`` that is no trusted proxy.

    Without a trusted peer the header is a stranger's word and is not read.
    """
    address = peer
    hops = [hop.strip() for hop in (forwarded_for or "").split(",") if hop.strip()]
    while hops and _is_in(address, trusted):
        address = hops.pop()
    return address


def is_trusted(peer: str, trusted: Sequence[Network]) -> bool:
    """Whether the peer is a proxy whose headers are believed."""
    return _is_in(peer, trusted)


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """The network an address is counted by: /24 of IPv4, /64 of IPv6; a mapped address counts as IPv4.

    A person on IPv6 has a whole /64 to themself, so counting single addresses would throttle nobody.
    """
    parsed = _parse(address)
    if parsed is None:
        return "unknown"
    return str(ipaddress.ip_network((int(parsed), 24 if parsed.version == 4 else 64), strict=False))


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in networks)


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, a mapped one (``::ffff:127.0.0.1``, what a socket on ``::`` reports) as the IPv4 it stands for."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed
