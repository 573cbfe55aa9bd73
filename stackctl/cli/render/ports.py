"""Published ports as Swarm writes them: `*:8080->80/tcp`, neighbours in one range."""

from collections.abc import Sequence

from stackctl.client.views import PortView


def render_ports(ports: Sequence[PortView], *, mode: str) -> str:
    """The ports of one mode (ingress or host), by protocol and number."""
    chosen = sorted(
        (port for port in ports if port["mode"] == mode),
        key=lambda port: (port["protocol"], port["published"], port["target"]),
    )
    ranges: list[list[PortView]] = []
    for port in chosen:
        if ranges and _follows(ranges[-1][-1], port):
            ranges[-1].append(port)
        else:
            ranges.append([port])
    return ", ".join(_render_range(first=each[0], last=each[-1]) for each in ranges)


def _follows(before: PortView, port: PortView) -> bool:
    return (
        port["protocol"] == before["protocol"]
        and port["published"] == before["published"] + 1
        and port["target"] == before["target"] + 1
    )


def _render_range(*, first: PortView, last: PortView) -> str:
    published, target = str(first["published"]), str(first["target"])
    if first is not last:
        published += f"-{last['published']}"
        target += f"-{last['target']}"
    return f"*:{published}->{target}/{first['protocol']}"
