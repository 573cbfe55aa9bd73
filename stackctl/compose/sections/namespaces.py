"""What a container shares with its node or with another container: `network_mode`, `pid`, `ipc`, …

A mode is `host`, a word of its own kind, `service:NAME` (another service of the file) or
`container:NAME` (any container of the node). Empty is as if the key were absent.
"""

from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Fields, Reader, Value
from stackctl.compose.sections.scalars import text

SERVICE = "service:"
CONTAINER = "container:"
HOST = "host"
NONE = "none"
BRIDGE = "bridge"


def mode(*words: str, hint: str | None = None, shares: bool = True) -> Reader[str]:
    """A reader of one of the words or, with `shares`, of another service or container."""
    shared = (f"{SERVICE}NAME", f"{CONTAINER}NAME") if shares else ()
    known = (*words, *shared)
    expected = " or ".join(filter(None, (", ".join(known[:-1]), known[-1])))

    def read(value: Value) -> str:
        written = text(value)
        if written in (*words, "") or not isinstance(value.written, str):
            return written
        kind = next((prefix for prefix in (SERVICE, CONTAINER) if written.startswith(prefix)), "")
        if shares and kind:
            if written == kind:
                value.problem(f"no name after {kind}", f"write {kind}NAME")
            return written
        near = value.reading.log.near(written, words)
        value.expected(expected, near or hint)
        return ""

    return read


read_network_mode = mode(NONE, HOST, BRIDGE, hint="name a network of the file under networks:")
read_ipc = mode("shareable", "private", HOST, NONE)
read_pid = mode(HOST)
read_uts = mode(HOST)
read_userns_mode = mode(HOST, shares=False)

# What belongs to a network or a host name, and so to whoever has them.
_OF_THE_NETWORK = ("hostname", "dns", "extra_hosts", "mac_address")

_read_cgroup = mode(HOST, "private")


def read_cgroup(fields: Fields) -> str:
    """`cgroup`, or `cgroupns_mode`, as the third version of the format calls it."""
    older = fields.get("cgroupns_mode")
    found = fields.read("cgroup", _read_cgroup, "")
    if older is None:
        return found
    said = _read_cgroup(older)
    if found and said != found:
        older.problem("contradicts cgroup", "remove one of the two")
    return said


def check_sharing(fields: Fields) -> None:
    """Report what a container cannot have of its own beside a namespace that it shares."""
    network, uts = fields.get("network_mode"), fields.get("uts")
    if uts is not None and uts.written == HOST:
        _refuse(fields, ("hostname", "domainname"), f"uts: {HOST}")
    if network is None or not isinstance(network.written, str):
        return
    if network.written.startswith((SERVICE, CONTAINER)):
        _refuse(fields, _OF_THE_NETWORK, f"network_mode: {shown(network.written)}")


def _refuse(fields: Fields, keys: tuple[str, ...], beside: str) -> None:
    for key in keys:
        value = fields.get(key) if key in fields else None
        if value is not None:
            value.key_problem(f"excludes {beside}", "keep one of the two")
