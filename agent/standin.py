"""Names while no agent runs: `python -m agent.standin FOLDER PORT`.

`agent.drivers.stand_in` says when it is started and how it ends. It answers this node's containers
from the set that the agent wrote last, with the names and VIPs of that moment, and forwards foreign
names as the agent does. It changes nothing, and needs neither engine nor managers.
"""

import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.core import dns_zone
from agent.drivers import stand_in
from agent.drivers.disk import AgentFolder
from agent.drivers.dns_server import DnsServer
from stackctl.errors import TemporaryFailure

_log = logging.getLogger(__name__)


def answer(folder: Path, *, port: int) -> DnsServer | None:
    """A server that answers from the set in `folder`; None when there is nothing to answer."""
    assignment = AgentFolder(folder).read_assignment()
    if assignment is None or not assignment.networks:
        return None
    server = DnsServer(port=port)
    # The kernel keeps the rules of every container that runs on: VIPs work for all of them.
    server.publish(
        dns_zone.build_zone(assignment), dns_zone.clients_of(assignment, with_rules=None)
    )
    try:
        server.listen({network.gateway: network.id for network in assignment.networks})
    except TemporaryFailure as failure:
        _log.warning("%s", failure.reason)  # the other networks are served
    return server


def main(arguments: Sequence[str]) -> int:
    """Answer until a signal ends the process."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    folder, port = Path(arguments[0]), int(arguments[1])
    if stand_in.hold_lock(folder) is None:
        return 0
    if answer(folder, port=port) is None:
        return 0
    _log.warning("the agent is gone: its stand-in answers names until it is back")
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
