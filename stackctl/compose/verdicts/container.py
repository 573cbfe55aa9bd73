"""Verdicts for the keys of a service that describe its container."""

import ipaddress

from stackctl.compose.sections.ports import parse_short
from stackctl.compose.syntax import tree
from stackctl.compose.verdicts.rules import (
    HONOURED,
    Rule,
    Verdict,
    When,
    honoured,
    refused,
    rule,
    rules,
    text_when,
    true_when,
)

_SERVICE = "services.*"

WINDOWS = refused("it exists on Windows only, and nodes run Linux", "remove it")

_OTHER_TASK = refused(
    "tasks of two services need not be on one node, so none can share with another",
    "use a network or a volume that both have, or make them one service",
)
_OF_NODE = honoured("each node that runs a task must have it; a constraint can see to that")
_OF_KERNEL = honoured("the kernel of each node that runs a task must be built for it")
_OLD_CONTROL_GROUPS = honoured(
    "a node with control groups v2 has no such thing: its engine leaves it out, and the agent logs "
    "that"
)
_CONTAINER_OF_NODE = refused(
    "a container that somebody else started is on one node only, if at all",
    "make it a service of the stack",
)

_CONTAINER_PLAIN = """
    image environment env_file labels working_dir user init tty stdin_open read_only privileged
    stop_signal stop_grace_period extra_hosts dns dns_search dns_opt cap_add cap_drop security_opt
    sysctls shm_size entrypoint command
"""


def _shared(key: str, otherwise: Verdict = HONOURED) -> tuple[Rule, ...]:
    """A namespace of the kernel that may be that of another container."""
    return (
        rule(
            f"{_SERVICE}.{key}",
            _OTHER_TASK,
            honoured("the service is started after the other one"),
            when=text_when("set to service:NAME", lambda text: text.startswith("service:")),
        ),
        rule(
            f"{_SERVICE}.{key}",
            _CONTAINER_OF_NODE,
            HONOURED,
            when=text_when("set to container:NAME", lambda text: text.startswith("container:")),
        ),
        rule(f"{_SERVICE}.{key}", otherwise, HONOURED),
    )


def _of_type(kind: str) -> When:
    def holds(node: tree.Node) -> bool:
        entry = node.entries.get("type") if isinstance(node, tree.Mapping) else None
        return (
            entry is not None and isinstance(entry.value, tree.Scalar) and entry.value.text == kind
        )

    return When(f"of type {kind}", holds)


VOLUMES = (
    rule(
        f"{_SERVICE}.volumes[]",
        refused("cluster volumes are not supported", "use a named volume and a constraint"),
        when=_of_type("cluster"),
    ),
    rule(
        f"{_SERVICE}.volumes[]",
        refused("named pipes exist on Windows only", "remove the mount"),
        when=_of_type("npipe"),
    ),
    rule(
        f"{_SERVICE}.volumes[]",
        honoured("needs an engine with API 1.48 on the nodes"),
        when=_of_type("image"),
    ),
    *rules(f"{_SERVICE}.volumes[]", "type source target read_only"),
    rule(
        f"{_SERVICE}.volumes[].consistency",
        honoured("has no effect on Linux, with Docker's tools neither"),
    ),
    *rules(f"{_SERVICE}.volumes[].bind", "propagation"),
    rule(
        f"{_SERVICE}.volumes[].bind.create_host_path",
        honoured(
            "false unless given: in a cluster a missing folder nearly always means the wrong node"
        ),
        HONOURED,
    ),
    rule(
        f"{_SERVICE}.volumes[].bind.recursive",
        honoured("readonly needs an engine with API 1.44"),
    ),
    rule(
        f"{_SERVICE}.volumes[].bind.selinux",
        honoured("of a folder; engines label their own volumes as shared, whatever is written"),
    ),
    *rules(f"{_SERVICE}.volumes[].volume", "nocopy labels"),
    rule(f"{_SERVICE}.volumes[].volume.subpath", honoured("needs an engine with API 1.45")),
    *rules(f"{_SERVICE}.volumes[].tmpfs", "size mode"),
    rule(f"{_SERVICE}.volumes[].image.subpath"),
)


def _has_own_address(node: tree.Node) -> bool:
    """Whether a port is published on some addresses of a node only; in both forms."""
    if isinstance(node, tree.Mapping):
        entry = node.entries.get("host_ip")
        address = entry.value.text if entry and isinstance(entry.value, tree.Scalar) else ""
    elif isinstance(node, tree.Scalar):
        try:
            address = parse_short(node.text).address
        except ValueError:
            return False
    else:
        return False
    try:
        return bool(address) and not ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False


PORTS = (
    # The whole port is refused: without its address it would publish what was meant to be hidden.
    rule(
        f"{_SERVICE}.ports[]",
        refused(
            "a published port is open on every node, whatever addresses that has",
            "remove the address, or publish no port and reach the service by its name",
        ),
        HONOURED,
        when=When("with an address such as 127.0.0.1", _has_own_address),
    ),
    *rules(f"{_SERVICE}.ports[]", "target published protocol"),
    rule(
        f"{_SERVICE}.ports[].mode",
        honoured("ingress: every node answers; host: the nodes of the tasks only"),
        honoured("both publish on this host"),
    ),
    rule(f"{_SERVICE}.ports[].host_ip"),
    *rules(
        f"{_SERVICE}.ports[]",
        "name app_protocol",
        honoured("words for people, without effect, with Docker's tools neither"),
    ),
)

HEALTHCHECK = (
    *rules(f"{_SERVICE}.healthcheck", "test interval timeout retries start_period disable"),
    rule(
        f"{_SERVICE}.healthcheck.start_interval",
        honoured("needs an engine with API 1.44; an older one keeps to interval from the start"),
    ),
)

CONTAINER: tuple[Rule, ...] = (
    *rules(_SERVICE, _CONTAINER_PLAIN),
    rule(f"{_SERVICE}.env_file[].path"),
    rule(f"{_SERVICE}.env_file[].required"),
    rule(f"{_SERVICE}.env_file[].format"),
    rule(
        f"{_SERVICE}.hostname",
        honoured("templates such as {{.Task.Slot}} are filled in by the node"),
        HONOURED,
    ),
    rule(f"{_SERVICE}.tmpfs"),
    rule(f"{_SERVICE}.ulimits.*", parts="soft hard"),
    *rules(f"{_SERVICE}.logging", "driver options"),
    rule(
        f"{_SERVICE}.expose",
        honoured("has no effect: the services of a network reach all ports of each other"),
    ),
    rule(f"{_SERVICE}.annotations", honoured("needs an engine with API 1.43")),
    *rules(
        _SERVICE,
        """cgroup_parent cpu_period cpu_quota cpu_shares cpuset device_cgroup_rules domainname
        group_add label_file memswap_limit oom_score_adj userns_mode""",
    ),
    *rules(_SERVICE, "cpu_rt_period cpu_rt_runtime", _OF_KERNEL, HONOURED),
    *rules(_SERVICE, "mem_swappiness oom_kill_disable", _OLD_CONTROL_GROUPS, HONOURED),
    *rules(
        _SERVICE,
        "runtime storage_opt",
        honoured("the engine of each node that runs a task must know it"),
        HONOURED,
    ),
    rule(
        f"{_SERVICE}.mac_address",
        refused("the manager chooses the address of every task", "remove it"),
        HONOURED,
    ),
    rule(
        f"{_SERVICE}.blkio_config",
        parts="""weight weight_device weight_device[].path weight_device[].weight device_read_bps
        device_read_bps[].path device_read_bps[].rate device_read_iops device_read_iops[].path
        device_read_iops[].rate device_write_bps device_write_bps[].path device_write_bps[].rate
        device_write_iops device_write_iops[].path device_write_iops[].rate""",
    ),
    rule(f"{_SERVICE}.devices", _OF_NODE, HONOURED, parts="[].source [].target [].permissions"),
    rule(
        f"{_SERVICE}.gpus",
        _OF_NODE,
        HONOURED,
        parts="[].capabilities [].count [].device_ids [].driver [].options",
    ),
    *rules(_SERVICE, "cpu_count cpu_percent isolation", WINDOWS),
    rule(f"{_SERVICE}.credential_spec", WINDOWS, parts="config file registry"),
    *rules(
        _SERVICE,
        "cpus mem_limit pids_limit",
        honoured("the same as deploy.resources says"),
    ),
    rule(
        f"{_SERVICE}.mem_reservation",
        honoured("counted where tasks are placed, as deploy.resources says; no limit on a node"),
        honoured("the same as deploy.resources says"),
    ),
    rule(
        f"{_SERVICE}.platform",
        honoured("tasks run on nodes of this platform only"),
        HONOURED,
    ),
    *_shared("cgroup"),
    *_shared("cgroupns_mode", honoured("the older name of cgroup")),
    *_shared("ipc"),
    *_shared("pid"),
    *_shared("uts"),
    *_shared(
        "network_mode",
        honoured("tasks are on no network of the cluster, so they have no name and no virtual IP"),
    ),
    rule(
        f"{_SERVICE}.pull_policy",
        refused("nodes do not build", "deploy with --build, or remove pull_policy:"),
        HONOURED,
        when=text_when("set to build", lambda text: text == "build"),
    ),
    *rules(_SERVICE, "pull_policy pull_refresh_after"),
    rule(
        f"{_SERVICE}.use_api_socket",
        refused(
            "it would hand every node's engine and the user's credentials to the service",
            "mount /var/run/docker.sock where a service must control its node",
        ),
        HONOURED,
        when=true_when(),
    ),
    rule(f"{_SERVICE}.use_api_socket"),
    rule(
        f"{_SERVICE}.volume_driver",
        refused(
            "it belongs to version 1 of the format",
            "name the driver of the volume under the top-level volumes",
        ),
    ),
    rule(
        f"{_SERVICE}.volumes_from",
        refused(
            "tasks of two services need not be on one node",
            "give both services the same named volume",
        ),
        honoured("the service is started after the other one"),
    ),
)
