"""`models`: language models that a runner beside the engine serves to services."""

from stackctl.compose.parts.attachments import ModelUse
from stackctl.compose.parts.objects import Model
from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import filled_text, integer, text_list


def read_model(key: str, value: Value, stack_name: str) -> Model:
    """One model; models are shared by all stacks, so their names have no prefix."""
    del stack_name
    fields = Fields(value, "a mapping with model:")
    model = fields.get("model")
    found = Model(
        key,
        value.key_place,
        model="" if model is None else filled_text(model),
        name=fields.read("name", filled_text, ""),
        context_size=fields.read("context_size", integer(), 0),
        runtime_flags=fields.read("runtime_flags", text_list, ()),
        extensions=fields.extensions(),
    )
    fields.finish()
    if model is None and value.is_mapping():
        value.key_problem("no model is given", "add model: and the model's reference")
    return found


def read_model_uses(value: Value) -> tuple[ModelUse, ...]:
    """The models of a service: a list of keys, or a mapping with the names of variables."""
    if value.is_mapping():
        return tuple(_use(key, inner) for key, inner in value.entries().items())
    found: dict[str, ModelUse] = {}
    for item in value.items("a list or a mapping of models"):
        key = filled_text(item)
        if key in found:
            item.problem(f"model {shown(key)} is named twice")
        found[key] = ModelUse(key, item.place)
    return tuple(found.values())


def _use(key: str, value: Value) -> ModelUse:
    if value.is_null:
        return ModelUse(key, value.key_place)
    fields = Fields(value)
    use = ModelUse(
        key,
        value.key_place,
        endpoint_variable=fields.read("endpoint_var", filled_text, ""),
        model_variable=fields.read("model_var", filled_text, ""),
    )
    fields.finish()
    return use
