"""Names: of stacks, of services, and of the objects that a stack makes.

An object of a stack is called STACK_KEY, so that stacks cannot collide. Patterns are scanned with
plain character classes; the pattern that Swarm documents for names takes exponential time.
"""

import re

from stackctl.compose.problems import shown
from stackctl.errors import InputError

SERVICE_NAME_LENGTH_MAX = 63  # a DNS label, and the longest name that the engine's DNS may carry
CONFIG_NAME_LENGTH_MAX = 64
NETWORK_NAME_LENGTH_MAX = 128

# The engine has networks of its own under these names on every node.
RESERVED_NETWORK_NAMES = frozenset(("bridge", "host", "none", "ingress"))

_RULE = "has letters, digits, - and _, and begins and ends with a letter or digit"
_SERVICE = re.compile(r"[a-zA-Z0-9](?:[-_a-zA-Z0-9]*[a-zA-Z0-9])?")
_SERVICE_KEY = re.compile(r"[-_.a-zA-Z0-9]+")
_NOT_OF_PROJECTS = re.compile(r"[^a-z0-9_-]")
_PROJECT = re.compile(r"[a-z0-9][-_a-z0-9]*")
_OBJECT = re.compile(r"[a-zA-Z0-9][-_.a-zA-Z0-9]*")
_ALIAS = re.compile(r"[a-zA-Z0-9_](?:[-_.a-zA-Z0-9]{0,252}[a-zA-Z0-9_])?")
_HOSTNAME_LABEL = re.compile(r"[a-zA-Z0-9](?:[-_a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_HOSTNAME_LENGTH_MAX = 63  # the kernel's HOST_NAME_MAX is 64


def full_name(stack_name: str, key: str) -> str:
    """The name under which the cluster knows the object that the file calls `key`."""
    return f"{stack_name}_{key}"


def stack_name_complaint(name: str) -> str | None:
    """What is wrong with a stack's name, or None."""
    if not _SERVICE.fullmatch(name):
        return f"a stack's name {_RULE}"
    if len(name) >= SERVICE_NAME_LENGTH_MAX - 1:
        return "is too long to leave room for the names of services"
    return None


def local_name_complaint(name: str) -> str | None:
    """What is wrong with the name of a stack on one engine, or None: images are called after it."""
    if not _PROJECT.fullmatch(name):
        return (
            "on one engine a stack's name has lower-case letters, digits, - and _, and begins with "
            "a letter or digit"
        )
    if len(name) >= SERVICE_NAME_LENGTH_MAX - 1:
        return "is too long to leave room for the names of services"
    return None


def normalised_name(text: str) -> str:
    """What Compose makes of a folder's name, or of `name:`; "" when nothing is left of it."""
    return _NOT_OF_PROJECTS.sub("", text.lower()).lstrip("_-")


def checked_name(name: str, *, is_local: bool) -> str:
    """The name that somebody gives, as it is. Raises `InputError` when it is none."""
    complaint = local_name_complaint(name) if is_local else stack_name_complaint(name)
    if complaint:
        other = normalised_name(name)
        hint = f"{other} is one" if is_local and other and not local_name_complaint(other) else None
        raise InputError(f"invalid stack name {name!r}: {complaint}", hint=hint)
    return name


def service_key_complaint(name: str) -> str | None:
    """What is wrong with the key of a service for any target, or None."""
    if not _SERVICE_KEY.fullmatch(name):
        return "a service's name has letters, digits, -, _ and ."
    return None


def service_name_complaint(name: str, stack_name: str) -> str | None:
    """What is wrong with the name of a service of a cluster, or None."""
    if not _SERVICE.fullmatch(name):
        return f"a service's name {_RULE}"
    full = full_name(stack_name, name)
    if len(full) > SERVICE_NAME_LENGTH_MAX:
        of = f"{len(full)} of at most {SERVICE_NAME_LENGTH_MAX} characters"
        return f"the full name {shown(full)} has {of}"
    return None


def object_name_complaint(name: str, length_max: int) -> str | None:
    """What is wrong with the full name of a network, volume or config, or None."""
    if not _OBJECT.fullmatch(name):
        return f"the name {shown(name)!r} has other characters than letters, digits, -, _ and ."
    if len(name) > length_max:
        return f"the name {shown(name)} has {len(name)} of at most {length_max} characters"
    return None


def is_alias(name: str) -> bool:
    """Whether containers can look up `name` on a network."""
    return _ALIAS.fullmatch(name) is not None


def is_hostname(name: str) -> bool:
    """Whether `name` can be the hostname of a container: RFC 1123, and `_`, which engines allow."""
    labels = name.split(".")
    return len(name) <= _HOSTNAME_LENGTH_MAX and all(map(_HOSTNAME_LABEL.fullmatch, labels))
