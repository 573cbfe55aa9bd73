"""The keys of a service that describe its container, all but mounts, configs and secrets."""

from stackctl.compose.grammar import task_templates
from stackctl.compose.grammar.names import is_hostname
from stackctl.compose.problems import shown
from stackctl.compose.sections import devices, kernel, namespaces, resolution
from stackctl.compose.sections.amounts import read_swap
from stackctl.compose.sections.attachments import read_mac_address
from stackctl.compose.sections.commands import read_command
from stackctl.compose.sections.environment import (
    KNOWN_TEMPLATES,
    read_env_files,
    read_environment,
    read_label_files,
)
from stackctl.compose.sections.healthcheck import read_healthcheck
from stackctl.compose.sections.image import read_image, read_platform
from stackctl.compose.sections.processor import read_processor
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import (
    boolean,
    byte_size,
    duration,
    filled_text,
    integer,
    labels,
    named_values,
    options,
    text,
    text_list,
)
from stackctl.model.specs import ContainerSpec, LogDriver

OOM_SCORE_MIN = -1000
OOM_SCORE_MAX = 1000
SWAPPINESS_MAX = 100


def read_container(fields: Fields, service: Value) -> ContainerSpec:
    """The container of a service."""
    environment = {
        **fields.read("env_file", read_env_files, {}),
        **fields.read("environment", read_environment, {}),
    }
    added = fields.read("cap_add", kernel.read_capabilities, ())
    dropped = fields.read("cap_drop", kernel.read_capabilities, ())
    processor = read_processor(fields)
    return ContainerSpec(
        image=read_image(fields, service),
        entrypoint=fields.read("entrypoint", read_command, None),
        command=fields.read("command", read_command, None),
        environment=tuple(sorted(f"{name}={content}" for name, content in environment.items())),
        labels=_labels(fields),
        annotations=fields.read("annotations", _annotations, {}),
        hostname=fields.read("hostname", _hostname, ""),
        domainname=fields.read("domainname", _domainname, ""),
        working_dir=fields.read("working_dir", text, ""),
        user=fields.read("user", text, ""),
        groups=fields.read("group_add", _groups, ()),
        init=fields.read("init", boolean, None),
        tty=fields.read("tty", boolean, False),
        stdin_open=fields.read("stdin_open", boolean, False),
        read_only=fields.read("read_only", boolean, False),
        privileged=fields.read("privileged", boolean, False),
        stop_signal=fields.read("stop_signal", kernel.read_signal, ""),
        stop_grace_period_seconds=fields.read("stop_grace_period", duration, None),
        healthcheck=fields.read("healthcheck", read_healthcheck, None),
        extra_hosts=fields.read("extra_hosts", resolution.read_extra_hosts, ()),
        dns=fields.read("dns", resolution.read_dns, ()),
        dns_search=fields.read("dns_search", resolution.read_dns_search, ()),
        dns_options=fields.read("dns_opt", text_list, ()),
        cap_add=added,
        cap_drop=kernel.without_added(dropped, added),
        security_options=fields.read("security_opt", kernel.read_security_options, ()),
        sysctls=fields.read("sysctls", kernel.read_sysctls, {}),
        ulimits=fields.read("ulimits", kernel.read_ulimits, ()),
        shm_size_bytes=fields.read("shm_size", byte_size, 0),
        log_driver=fields.read("logging", _logging, None),
        block_io=fields.read("blkio_config", devices.read_block_io, None),
        cgroup=namespaces.read_cgroup(fields),
        cgroup_parent=fields.read("cgroup_parent", text, ""),
        cpu_shares=processor.shares,
        cpu_quota=processor.quota,
        cpu_period=processor.period,
        cpu_realtime_runtime=processor.realtime_runtime,
        cpu_realtime_period=processor.realtime_period,
        cpuset=processor.cpuset,
        devices=fields.read("devices", devices.read_devices, ()),
        device_cgroup_rules=fields.read(
            "device_cgroup_rules", devices.read_device_cgroup_rules, ()
        ),
        ipc=fields.read("ipc", namespaces.read_ipc, ""),
        pid=fields.read("pid", namespaces.read_pid, ""),
        uts=fields.read("uts", namespaces.read_uts, ""),
        userns_mode=fields.read("userns_mode", namespaces.read_userns_mode, ""),
        network_mode=fields.read("network_mode", namespaces.read_network_mode, ""),
        mac_address=fields.read("mac_address", read_mac_address, ""),
        memory_swappiness=fields.read("mem_swappiness", integer(maximum=SWAPPINESS_MAX), None),
        memory_swap_bytes=fields.read("memswap_limit", read_swap, 0),
        oom_kill_disable=fields.read("oom_kill_disable", boolean, False),
        oom_score_adjustment=fields.read("oom_score_adj", _oom_score, 0),
        platform=fields.read("platform", read_platform, ""),
        runtime=fields.read("runtime", text, ""),
        storage_options=fields.read("storage_opt", options, {}),
    )


def _labels(fields: Fields) -> dict[str, str]:
    return {**fields.read("label_file", read_label_files, {}), **fields.read("labels", labels, {})}


def _hostname(value: Value) -> str:
    written = filled_text(value)
    unknown = task_templates.unknown_template(written)
    if unknown is not None:
        value.problem(f"unknown template {shown(unknown)}", KNOWN_TEMPLATES)
    elif written and not task_templates.has_template(written) and not is_hostname(written):
        value.problem(
            f"{shown(written)!r} is no hostname: letters, digits and - in parts joined by dots"
        )
    return written


def _domainname(value: Value) -> str:
    written = text(value)
    if written and not is_hostname(written):
        value.problem(f"{shown(written)!r} is no name of a domain")
    return written


def _annotations(value: Value) -> dict[str, str]:
    return {entry.name: entry.content or "" for entry in named_values(value)}


def _groups(value: Value) -> tuple[str, ...]:
    """Groups by name or number, each once."""
    found: dict[str, None] = {}
    for item in value.items("a list of groups"):
        written = item.written
        if isinstance(written, int) and not isinstance(written, bool):
            found[str(integer()(item))] = None
        else:
            found[filled_text(item)] = None
    return tuple(found)


_oom_score = integer(minimum=OOM_SCORE_MIN, maximum=OOM_SCORE_MAX)


def _logging(value: Value) -> LogDriver:
    fields = Fields(value)
    driver = LogDriver(
        name=fields.read("driver", filled_text, ""),
        options=fields.read("options", options, {}),
    )
    fields.finish()
    return driver
