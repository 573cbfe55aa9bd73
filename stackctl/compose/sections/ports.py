"""Published ports: `[[IP:][HOST]:]CONTAINER[/PROTOCOL]` with ranges, and the long form.

A range of published ports over one container port publishes every port of the range, and two
ranges of equal length pair up, as `docker stack deploy` does; `docker compose` publishes one port
of a range over one container port, so that the range is kept beside each of them. A published port
of 0, or none, lets the manager or the engine choose.
"""

import ipaddress
import re
from typing import NamedTuple

import msgspec

from stackctl.compose.document import PortUse
from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import choice, text
from stackctl.model.specs import PortMode, PortSpec

PORT_MAX = 65_535
PROTOCOLS = ("tcp", "udp", "sctp")

_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


class Range(NamedTuple):
    """Ports from `first` to `last`, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


class ShortPort(NamedTuple):
    """The parts of a short form; `published` is None when none is given."""

    address: str
    published: Range | None
    target: Range
    protocol: str


def parse_range(written: str) -> Range:
    """`80` or `8000-8010`. Raises `ValueError` with a sentence."""
    match = _RANGE.fullmatch(written)
    if match is None:
        raise ValueError(f"{shown(written)!r} is no port and no range of ports")
    first = int(match[1])
    last = int(match[2]) if match[2] else first
    if max(first, last) > PORT_MAX:
        raise ValueError(f"a port is at most {PORT_MAX}, not {max(first, last)}")
    if last < first:
        raise ValueError(f"the range {first}-{last} ends before it begins")
    return Range(first, last)


def parse_short(written: str) -> ShortPort:
    """The parts of a short form. Raises `ValueError` with a sentence."""
    ports, slash, protocol = written.partition("/")
    if slash and protocol.lower() not in PROTOCOLS:
        raise ValueError(f"the protocol is {shown(protocol)!r}, not {' or '.join(PROTOCOLS)}")
    # From the right, so that an IPv6 address needs no brackets.
    address, published, target = ["", "", *ports.rsplit(":", 2)][-3:]
    if not target:
        raise ValueError("there is no container port")
    return ShortPort(
        address.removeprefix("[").removesuffix("]"),
        parse_range(published) if published else None,
        _target(target),
        protocol.lower() or "tcp",
    )


def pair_ports(published: Range | None, target: Range) -> list[tuple[int, int]]:
    """(published, target) for each port; published 0 where the manager chooses.

    Raises `ValueError` when the two ranges do not fit each other.
    """
    targets = range(target.first, target.last + 1)
    if published is None:
        return [(0, port) for port in targets]
    sources = range(published.first, published.last + 1)
    if len(targets) == 1:
        return [(source, target.first) for source in sources]
    if len(sources) != len(targets):
        raise ValueError(f"{len(sources)} published ports cannot pair with {len(targets)} ports")
    return list(zip(sources, targets, strict=True))


def read_ports(value: Value) -> tuple[PortUse, ...]:
    """The ports of a service. What is said twice in the same words counts once, as in Compose."""
    uses: dict[tuple[PortSpec, str], PortUse] = {}
    for item in value.items("a list of ports"):
        for use in _long(item) if item.is_mapping() else _short(item):
            same = (use.spec, use.host_ip)
            if same in uses and use.spec.published:
                item.note(f"port {use.spec.published} is published twice alike; once is enough")
            uses.setdefault(same, use)
    return tuple(uses.values())


def _target(written: str) -> Range:
    target = parse_range(written)
    if target.first == 0:
        raise ValueError("a container port is at least 1")
    return target


def _short(item: Value) -> list[PortUse]:
    written = item.written
    if isinstance(written, bool | float) or written is None:
        item.expected('a port such as 80, "8080:80" or "53:53/udp"')
        return []
    try:
        port = parse_short(str(written))
        model = PortSpec(target=0, protocol=port.protocol)
        uses = _uses(item, port.published, port.target, model)
    except ValueError as error:
        item.problem(str(error))
        return []
    address = _checked_address(item, port.address)
    return [msgspec.structs.replace(use, host_ip=address) for use in uses]


def _long(item: Value) -> list[PortUse]:
    fields = Fields(item)
    target = fields.get("target")
    published = fields.get("published")
    model = PortSpec(
        target=0,
        protocol=fields.read("protocol", _protocol, "tcp"),
        mode=fields.read("mode", choice(PortMode, PortMode.INGRESS), PortMode.INGRESS),
    )
    address = fields.get("host_ip")
    host_ip = "" if address is None else _checked_address(address, text(address))
    name = fields.read("name", text, "")
    app_protocol = fields.read("app_protocol", text, "")
    fields.finish()
    if target is None:
        item.problem("no target is given", "add target: and the port of the container")
        return []
    target_range = _read_range(target, minimum=1)
    published_range = None if published is None else _read_range(published, minimum=0)
    if target_range is None:
        return []
    try:
        uses = _uses(item, published_range, target_range, model)
    except ValueError as error:
        item.problem(str(error))
        return []
    return [
        msgspec.structs.replace(use, host_ip=host_ip, name=name, app_protocol=app_protocol)
        for use in uses
    ]


def _read_range(value: Value, *, minimum: int) -> Range | None:
    written = value.written
    if isinstance(written, bool | float) or written is None:
        value.expected("a port or a range of ports")
        return None
    if written == "" and minimum == 0:
        return None
    try:
        return _target(str(written)) if minimum else parse_range(str(written))
    except ValueError as error:
        value.problem(str(error))
        return None


def _protocol(value: Value) -> str:
    protocol = text(value).lower()
    if isinstance(value.written, str) and protocol not in PROTOCOLS:
        value.expected(" or ".join((", ".join(PROTOCOLS[:-1]), PROTOCOLS[-1])))
    return protocol


def _checked_address(value: Value, address: str) -> str:
    """The address in its shortest form; "" is all addresses."""
    if not address:
        return ""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        value.problem(f"{shown(address)!r} is no IP address")
        return ""


def _uses(item: Value, published: Range | None, target: Range, model: PortSpec) -> list[PortUse]:
    """A use for each port; the rest of each spec is that of `model`."""
    reading = item.reading
    wanted = max(len(target), 0 if published is None else len(published))
    if wanted > reading.ports_left:
        raise ValueError("the file publishes more ports than there are")
    reading.ports_left -= wanted
    is_choice = published is not None and len(target) == 1 < len(published)
    one_of = (published.first, published.last) if published is not None and is_choice else None
    return [
        PortUse(
            msgspec.structs.replace(model, target=port, published=source),
            item.place,
            one_of=one_of,
        )
        for source, port in pair_ports(published, target)
    ]
