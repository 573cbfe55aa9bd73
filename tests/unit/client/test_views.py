"""The client's views repeat the API's structs: names, types and defaults are compared here."""

import types
import typing
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from stackctl.client import content_views, placement_views, views
from stackctl.wire import api

NAMES = [
    "ErrorBody",
    "ClusterView",
    "NodeView",
    "StackView",
    "Change",
    "DeployResult",
    "PortView",
    "UpdateView",
    "ServiceView",
    "ServiceDetail",
    "TaskView",
    "NodeVerdict",
    "TaskExplanation",
    "TaskMove",
    "StackRevisionView",
    "FieldChange",
    "PlannedMove",
    "PlannedLoss",
    "ServicePlan",
    "PlanView",
    "RebalanceView",
    "NetworkView",
    "ContentView",
    "ImageView",
    "ImageTransfer",
    "LogLine",
    "ChangesView",
]

MODULES = (views, placement_views, content_views)
VIEWS = {name: kind for module in MODULES for name, kind in vars(module).items()}
DEFAULTS = {**views.DEFAULTS, **placement_views.DEFAULTS, **content_views.DEFAULTS}


def as_json(hint: Any) -> Any:
    """The type that a field of a struct has once it has been JSON, named so as to be compared."""
    origin = get_origin(hint)
    if origin in {typing.Union, types.UnionType}:
        return frozenset(as_json(part) for part in get_args(hint))
    if origin is tuple:
        return ("list", as_json(get_args(hint)[0]))
    if origin is list:
        return ("list", as_json(get_args(hint)[0]))
    if origin in {dict, Mapping}:
        key, value = get_args(hint)
        return ("dict", as_json(key), as_json(value))
    if hint is type(None):
        return "null"
    name = hint.__name__ if isinstance(hint, type) else str(hint)
    # Specs and endpoints stay as they came: the client only passes them on.
    return ("dict", "str", "Any") if name in {"ServiceSpec", "Endpoint"} else name


@pytest.mark.parametrize("name", NAMES)
def test_a_view_has_the_fields_and_types_of_its_struct(name: str) -> None:
    struct, view = getattr(api, name), VIEWS[name]
    theirs = {field: as_json(hint) for field, hint in get_type_hints(struct).items()}
    ours = {field: as_json(hint) for field, hint in get_type_hints(view).items()}
    assert ours == theirs


@pytest.mark.parametrize("name", NAMES)
def test_a_view_has_the_defaults_of_its_struct(name: str) -> None:
    defaults = {}
    for field in msgspec.structs.fields(getattr(api, name)):
        if field.default is not msgspec.NODEFAULT:
            defaults[field.name] = msgspec.to_builtins(field.default)
        elif field.default_factory is not msgspec.NODEFAULT:
            defaults[field.name] = msgspec.to_builtins(field.default_factory())
    ours = dict(DEFAULTS[VIEWS[name]])
    assert ours == {field: _as_json(value) for field, value in defaults.items()}


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_every_answer_of_the_api_has_a_view() -> None:
    structs = {
        name
        for name, kind in vars(api).items()
        if isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__ == api.__name__
        and not name.endswith(("Request", "Update"))
    }
    # What nodes say to managers is not for people.
    assert structs - set(NAMES) <= {"JoinResponse"}


def test_what_the_wire_leaves_out_is_filled_in() -> None:
    update = api.UpdateView(state="updating", message="update in progress", started_at=5)
    service = api.ServiceView(
        id="s1",
        name="shop_web",
        stack="shop",
        mode="replicated",
        running=1,
        desired=2,
        image="web:1",
        update=update,
    )
    answer = msgspec.json.decode(msgspec.json.encode(service))
    assert "ports" not in answer
    completed = views.complete_service(answer)
    assert completed["ports"] == []
    assert completed["revision"] == 1
    assert completed["update"] is not None
    assert completed["update"]["completed_at"] == 0


def test_fields_of_newer_managers_are_kept() -> None:
    stack = views.complete_stack({"name": "shop", "flavour": "new"})
    assert stack["flavour"] == "new"  # type: ignore[typeddict-item]  # - that is the point
