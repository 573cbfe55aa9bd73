"""The keys of a service that describe its container, all but mounts and configs."""

from stackctl.compose.grammar import task_templates
from stackctl.compose.grammar.image_reference import image_complaint
from stackctl.compose.grammar.names import is_hostname
from stackctl.compose.problems import shown
from stackctl.compose.sections import kernel, resolution
from stackctl.compose.sections.commands import read_command
from stackctl.compose.sections.environment import KNOWN_TEMPLATES, read_env_files, read_environment
from stackctl.compose.sections.healthcheck import read_healthcheck
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import (
    boolean,
    byte_size,
    duration,
    filled_text,
    labels,
    options,
    text,
    text_list,
)
from stackctl.model.specs import ContainerSpec, LogDriver


def read_container(fields: Fields, service: Value) -> ContainerSpec:
    """The container of a service."""
    image = fields.get("image")
    build = fields.get("build")
    _check_image_and_build(service, image, build)
    environment = {
        **fields.read("env_file", read_env_files, {}),
        **fields.read("environment", read_environment, {}),
    }
    added = fields.read("cap_add", kernel.read_capabilities, ())
    dropped = fields.read("cap_drop", kernel.read_capabilities, ())
    return ContainerSpec(
        image="" if image is None else _image(image),
        entrypoint=fields.read("entrypoint", read_command, None),
        command=fields.read("command", read_command, None),
        environment=tuple(sorted(f"{name}={content}" for name, content in environment.items())),
        labels=fields.read("labels", labels, {}),
        hostname=fields.read("hostname", _hostname, ""),
        working_dir=fields.read("working_dir", text, ""),
        user=fields.read("user", text, ""),
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
    )


def _check_image_and_build(service: Value, image: Value | None, build: Value | None) -> None:
    if not service.is_mapping():
        return  # reported already
    if image is None:
        message = "no image is given"
        if build is not None:
            message = "no image is given, and deploy does not build"
        service.key_problem(message, "add image: with a name that every node can pull")
    elif build is not None:
        build.note("build is not used by deploy: the image must exist already")


def _image(value: Value) -> str:
    written = text(value)
    complaint = image_complaint(written) if isinstance(value.written, str) else None
    if complaint:
        value.problem(f"invalid image reference {shown(written)!r}: {complaint}")
    return written


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


def _logging(value: Value) -> LogDriver:
    fields = Fields(value)
    driver = LogDriver(
        name=fields.read("driver", filled_text, ""),
        options=fields.read("options", options, {}),
    )
    fields.finish({})
    return driver
