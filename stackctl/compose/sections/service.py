"""One service of the file."""

from stackctl.compose.document import Deploy, Service
from stackctl.compose.grammar.names import service_name_complaint
from stackctl.compose.parts.attachments import NetworkUse
from stackctl.compose.problems import shown
from stackctl.compose.sections import unsupported
from stackctl.compose.sections.attachments import DEFAULT_NETWORK, read_configs, read_networks
from stackctl.compose.sections.container import read_container
from stackctl.compose.sections.deploy import read_deploy, read_restart
from stackctl.compose.sections.mounts import read_tmpfs, read_volumes
from stackctl.compose.sections.ports import parse_range, read_ports
from stackctl.compose.sections.reading import Fields, Value
from stackctl.model.specs import RestartPolicy


def read_service(key: str, value: Value, stack_name: str) -> Service:
    """Everything that the file says about one service."""
    complaint = service_name_complaint(key, stack_name)
    if complaint:
        value.key_problem(complaint)
    fields = Fields(value, "a mapping with at least image:")
    deploy = fields.read("deploy", read_deploy, Deploy())
    restart = fields.get("restart")
    networks = fields.read("networks", read_networks, ())
    fields.read("expose", _check_expose, None)
    service = Service(
        key=key,
        place=value.key_place,
        key_places=fields.places(),
        container=read_container(fields, value),
        deploy=deploy,
        restart=_restart(restart, deploy),
        ports=fields.read("ports", read_ports, ()),
        networks=networks or (NetworkUse(DEFAULT_NETWORK, value.key_place),),
        mounts=(
            *fields.read("volumes", read_volumes, ()),
            *fields.read("tmpfs", read_tmpfs, ()),
        ),
        configs=fields.read("configs", read_configs, ()),
    )
    fields.finish(unsupported.SERVICE)
    return service


def _restart(restart: Value | None, deploy: Deploy) -> RestartPolicy:
    """`deploy.restart_policy` where there is one, otherwise what `restart` says."""
    said = RestartPolicy() if restart is None else read_restart(restart)
    if deploy.restart is None:
        return said
    if restart is not None:
        restart.note("restart is not used, because deploy.restart_policy is given")
    return deploy.restart


def _check_expose(value: Value) -> None:
    """`expose` has no effect: the services of a network reach all ports of each other."""
    for item in value.items("a list of ports"):
        written = item.written
        if isinstance(written, bool | float) or written is None:
            item.expected("a port")
            continue
        port, _, protocol = str(written).partition("/")
        try:
            parse_range(port)
        except ValueError as error:
            item.problem(str(error))
        if protocol and protocol.lower() not in ("tcp", "udp", "sctp"):
            item.problem(f"the protocol is {shown(protocol)!r}, not tcp, udp or sctp")
