"""Which addresses may be connected to: public ones, and those in networks that an administrator listed.

Whoever may name a host could otherwise reach into the company with our feet: the server's own services, a
cloud's metadata, a neighbour's database. So a name is resolved once, every address that it has is looked
at before the first packet, and that very address is connected to; asking a second time may bring another
answer. All refusals have the same words, or trying hosts and ports would tell what is there.
"""

import ipaddress
import re
import socket
from collections.abc import Sequence

from crm.errors import InvalidValue, NotConnected

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST_LENGTH = 253
# One name or one address: no lists, no sockets, no ports, no credentials.
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.\-]*[A-Za-z0-9_.])?|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?")

_INNER_V4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
        "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
"""Special-purpose IPv4 networks (IANA registry, RFC 6890): none is the public internet."""

_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_INNER_V6 = [
    ipaddress.IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]
"""Special-purpose networks inside the public one (IANA registry): tunnels, which hide an IPv4 address, too."""

_NEVER = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/32", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8",
        "169.254.169.254/32", "169.254.170.2/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
        "fd00:ec2::254/128",
    )
]  # fmt: skip
"""Addresses that are no database's, whatever was listed: to all, to nobody, and the metadata of clouds."""


def check_host(host: str) -> str:
    """Return a host as it came. Raises InvalidValue when it is not one name or one address."""
    if len(host) > _HOST_LENGTH or not _HOST.fullmatch(host):
        raise InvalidValue(
            "The host is not the name or the address of one server.",
            "Enter it alone, such as db.example.com: no port, no list, no folder, no user name.",
        )
    return host


def address_of(host: str, port: int, *, networks: Sequence[IPNetwork]) -> str:
    """Return the one address to connect to, having asked for it once.

    Raises NotConnected when the host has no address, or any that is neither public nor in `networks`.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable("no such host") from None
    addresses = [_unwrapped(str(place[0])) for *_, place in found]
    # All of them: of a public and a private one, the driver's next attempt might take the other.
    if not addresses or not all(may_be_reached(address, networks=networks) for address in addresses):
        raise Unreachable("address refused")
    return str(addresses[0])


def may_be_reached(address: IPAddress, *, networks: Sequence[IPNetwork]) -> bool:
    """Return whether an address is public or in one of `networks`."""
    address = _inner(address)
    if any(address in network for network in _NEVER):
        return False
    if any(address in network for network in networks):
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _INNER_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _INNER_V6)


def _unwrapped(text: str) -> IPAddress:
    # A zone (fe80::1%eth0) comes with addresses of the own link only.
    return _inner(ipaddress.ip_address(text.partition("%")[0]))


def _inner(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address like ::ffff:10.0.0.1 is another way of writing."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


class Unreachable(NotConnected):
    """The one refusal of all connections that fail; `reason` is for the log alone."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "Could not connect to the database.",
            "Check host, port, database, user name, password and TLS, and that the server lets this one in. "
            "A server inside the company's network must be listed by the administrator "
            "(CLIENTELE_ALLOWED_NETWORKS).",
        )
        self.reason = reason
