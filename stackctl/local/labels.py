"""The labels of Compose. By them a stack's objects are found again, by us and by other tools."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

PREFIX = "com.docker.compose."
STACK = f"{PREFIX}project"
SERVICE = f"{PREFIX}service"
CONFIG_HASH = f"{PREFIX}config-hash"
NUMBER = f"{PREFIX}container-number"
ONE_OFF = f"{PREFIX}oneoff"
SLUG = f"{PREFIX}slug"
IMAGE = f"{PREFIX}image"
DEPENDS_ON = f"{PREFIX}depends_on"
WORKING_DIRECTORY = f"{PREFIX}project.working_dir"
CONFIG_FILES = f"{PREFIX}project.config_files"
ENVIRONMENT_FILE = f"{PREFIX}project.environment_file"
VOLUME = f"{PREFIX}volume"
NETWORK = f"{PREFIX}network"
VERSION = f"{PREFIX}version"
REPLACES = f"{PREFIX}replace"

# Of our own: what a network or volume was made from. docker-compose 1 complains of every label that
# its file does not have, unless it begins with com.docker.
MADE_FROM = f"{PREFIX}stackctl-made-from"

# Of our own, too: what was copied into a container. Compose does not notice when that changes.
CONTENTS = f"{PREFIX}stackctl-contents"

# What we say we are: a version of Compose whose labels these are.
COMPATIBLE_VERSION = "2.40.0"


class Origin(NamedTuple):
    """Where a stack comes from: its name, its folder, its files (absolute paths)."""

    stack_name: str
    working_directory: str
    config_files: Sequence[str] = ()
    environment_files: Sequence[str] = ()


def stack_labels(origin: Origin) -> dict[str, str]:
    """The labels of everything that belongs to a stack's containers."""
    labels = {
        STACK: origin.stack_name,
        WORKING_DIRECTORY: origin.working_directory,
        CONFIG_FILES: ",".join(origin.config_files),
        VERSION: COMPATIBLE_VERSION,
    }
    if origin.environment_files:
        labels[ENVIRONMENT_FILE] = ",".join(origin.environment_files)
    return labels


def network_labels(
    stack_name: str, key: str, declared: Mapping[str, str], digest: str
) -> dict[str, str]:
    """The labels of a network; `digest` says what it was made from."""
    return {
        **declared,
        STACK: stack_name,
        NETWORK: key,
        MADE_FROM: digest,
        VERSION: COMPATIBLE_VERSION,
    }


def volume_labels(
    stack_name: str, key: str, declared: Mapping[str, str], digest: str
) -> dict[str, str]:
    """The labels of a volume; `digest` says what it was made from."""
    return {
        **declared,
        STACK: stack_name,
        VOLUME: key,
        MADE_FROM: digest,
        VERSION: COMPATIBLE_VERSION,
    }


def of_stack(stack_name: str) -> dict[str, list[str]]:
    """The filter with which the engine lists what belongs to a stack."""
    return {"label": [f"{STACK}={stack_name}"]}
