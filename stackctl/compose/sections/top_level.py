"""The top level of the file: which sections there are, and who reads each."""

from collections.abc import Callable
from typing import TypeVar

from stackctl.compose.document import Document
from stackctl.compose.problems import shown
from stackctl.compose.sections.file_objects import read_config, read_secret
from stackctl.compose.sections.models import read_model
from stackctl.compose.sections.networks import read_network
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import filled_text
from stackctl.compose.sections.service import read_service
from stackctl.compose.sections.volumes import read_volume

T = TypeVar("T")


def read_document(value: Value, stack_name: str) -> Document:
    """The typed document of a whole file."""
    fields = Fields(value, "a mapping with services:")
    fields.read("version", _check_version, None)
    name = fields.get("name")
    if name is not None and (given := filled_text(name)) != stack_name:
        name.note(f"name {shown(given)} is not used: the stack is deployed as {stack_name}")
    document = Document(
        services=tuple(_section(fields, "services", read_service, stack_name).values()),
        networks=_section(fields, "networks", read_network, stack_name),
        volumes=_section(fields, "volumes", read_volume, stack_name),
        configs=_section(fields, "configs", read_config, stack_name),
        secrets=_section(fields, "secrets", read_secret, stack_name),
        models=_section(fields, "models", read_model, stack_name),
        extensions=fields.extensions(),
    )
    fields.finish()
    return document


def _check_version(value: Value) -> None:
    """Which version it is has no effect: every key of every version is known."""
    if isinstance(value.written, bool) or value.written is None:
        value.expected("text or a number")


def _section(
    fields: Fields, name: str, reader: Callable[[str, Value, str], T], stack_name: str
) -> dict[str, T]:
    section = fields.get(name)
    if section is None:
        return {}
    return {key: reader(key, value, stack_name) for key, value in section.entries().items()}
