"""How two files' values of one key become one: a rule for every path that has its own.

A *pattern* is a path with `*` for a name that the user chose. Without a rule mappings are merged
key by key, lists are joined, and of scalars the later wins; a later null keeps what is there.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import cache
from typing import NamedTuple

import msgspec

from stackctl.compose.merging import identities
from stackctl.compose.merging.forms import (
    Items,
    build_entries,
    dependency_entries,
    expanded_ports,
    host_items,
    listed,
    name_entries,
)
from stackctl.compose.syntax import tree

ANY_NAME = "*"


class Way(Enum):
    """The ways in which two values become one."""

    GENERAL = auto()  # as told above
    REPLACE = auto()  # the later one, null too
    NAMED = auto()  # NAME=VALUE, as list or mapping: by name, the later wins, null too
    UNITE = auto()  # lists: a later item takes the place of the earlier one with its identity
    MAPPING = auto()  # the short form is spelt out, then key by key
    LOGGING = auto()  # key by key while both mean the same driver
    PAIR = auto()  # lists of mappings: those with one identity are merged
    FREE = auto()  # like no rule, but what cannot be merged is replaced


class Rule(NamedTuple):
    """A way, and what it needs: the identity of an item, the long form of a short one."""

    way: Way
    identity: identities.Identity = identities.whole
    items: Callable[[tree.Node], Items | None] = listed
    entries: Callable[[tree.Node], tree.Mapping | None] = name_entries


GENERAL = Rule(Way.GENERAL)
REPLACE = Rule(Way.REPLACE)
NAMED = Rule(Way.NAMED, identities.name)
DISTINCT = Rule(Way.UNITE)
FREE = Rule(Way.FREE)


def united(identity: identities.Identity) -> Rule:
    """Lists whose items have an identity."""
    return Rule(Way.UNITE, identity)


RULES: Mapping[str, Rule] = {
    "services.*.annotations": NAMED,
    "services.*.build": Rule(Way.MAPPING, entries=build_entries),
    "services.*.build.additional_contexts": NAMED,
    "services.*.build.args": NAMED,
    "services.*.build.extra_hosts": Rule(Way.UNITE, identities.host, host_items),
    "services.*.build.labels": NAMED,
    "services.*.build.tags": DISTINCT,
    "services.*.cap_add": DISTINCT,
    "services.*.cap_drop": DISTINCT,
    "services.*.command": REPLACE,
    "services.*.configs": united(identities.config),
    "services.*.depends_on": Rule(Way.MAPPING, entries=dependency_entries),
    "services.*.deploy.labels": NAMED,
    "services.*.device_cgroup_rules": DISTINCT,
    "services.*.devices": united(identities.device),
    "services.*.dns": DISTINCT,
    "services.*.dns_opt": NAMED,
    "services.*.dns_search": DISTINCT,
    "services.*.entrypoint": REPLACE,
    "services.*.env_file": united(identities.path),
    "services.*.environment": NAMED,
    "services.*.expose": DISTINCT,
    "services.*.external_links": DISTINCT,
    "services.*.extra_hosts": Rule(Way.UNITE, identities.host, host_items),
    "services.*.group_add": DISTINCT,
    "services.*.healthcheck.test": REPLACE,
    "services.*.label_file": united(identities.path),
    "services.*.labels": NAMED,
    "services.*.links": DISTINCT,
    "services.*.logging": Rule(Way.LOGGING),
    "services.*.models": Rule(Way.MAPPING),
    "services.*.networks": Rule(Way.MAPPING),
    "services.*.networks.*.aliases": DISTINCT,
    "services.*.networks.*.link_local_ips": DISTINCT,
    "services.*.ports": Rule(Way.UNITE, identities.port, expanded_ports),
    "services.*.profiles": DISTINCT,
    "services.*.secrets": united(identities.secret),
    "services.*.security_opt": DISTINCT,
    "services.*.sysctls": NAMED,
    "services.*.tmpfs": united(identities.tmpfs),
    "services.*.ulimits.*": REPLACE,
    "services.*.volumes": united(identities.volume),
    "services.*.volumes_from": DISTINCT,
    "networks.*.ipam.config": Rule(Way.PAIR, identities.subnet),
    "networks.*.ipam.options": NAMED,
    "networks.*.labels": NAMED,
    "volumes.*.labels": NAMED,
    "secrets.*.labels": NAMED,
    "configs.*.labels": NAMED,
}


class Step(msgspec.Struct):
    """The table from one path on."""

    rule: Rule = GENERAL
    following: "dict[str, Step]" = {}

    def next(self, key: str) -> "Step | None":
        """The table below `key`; None where nothing has a rule of its own any more."""
        if key in self.following:
            return self.following[key]
        if ANY_NAME in self.following:
            return self.following[ANY_NAME]
        return EXTENSION if key.startswith("x-") else None


EXTENSION = Step(FREE)  # what users keep under x- keys: any shape is as good as another


@cache
def first_step() -> Step:
    """The table as a tree of steps."""
    first = Step()
    for pattern, rule in RULES.items():
        step = first
        for word in pattern.split("."):
            step = step.following.setdefault(word, Step())
        step.rule = rule
    return first


def step_at(*path: str) -> Step | None:
    """The step that a path leads to."""
    step: Step | None = first_step()
    for word in path:
        step = step.next(word) if step else None
    return step
