"""The top-level `volumes`: each node makes its own of a volume when a task first needs it."""

from stackctl.compose.grammar.names import NETWORK_NAME_LENGTH_MAX
from stackctl.compose.parts.objects import Volume
from stackctl.compose.sections.naming import read_naming, refuse_beside_external
from stackctl.compose.sections.paths import absolute_path
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import filled_text, labels, options


def read_volume(key: str, value: Value, stack_name: str) -> Volume:
    """One named volume."""
    fields = Fields(value, or_null=True)
    naming = read_naming(
        fields, key=key, value=value, stack_name=stack_name, length_max=NETWORK_NAME_LENGTH_MAX
    )
    volume = Volume(
        key,
        value.key_place,
        naming.name,
        external=naming.external,
        labels=fields.read("labels", labels, {}),
        driver=fields.read("driver", filled_text, ""),
        driver_options=fields.read("driver_opts", _driver_options, {}),
        extensions=fields.extensions(),
    )
    fields.finish()
    if naming.external:
        refuse_beside_external(value)
    return volume


def _driver_options(value: Value) -> dict[str, str]:
    """Driver options; the relative folder of a local bind becomes an absolute one."""
    found = options(value)
    device = found.get("device", "")
    if "bind" in found.get("o", "").split(",") and device[:1] in (".", "~"):
        try:
            found["device"] = absolute_path(device, value.reading)
        except ValueError as error:
            value.problem(str(error))
    return found
