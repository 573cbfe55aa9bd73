"""Which images are fetched or built before a plan is made: pure.

An image that is built here is fetched from nowhere unless the file or a flag says so: what a
registry has under that name is somebody else's.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from stackctl.compose.document import Service
from stackctl.local.names import image_of
from stackctl.local.observed import ObservedImage
from stackctl.local.progress import Phase, Progress, Report
from stackctl.model.specs import PullPolicy


class PullFlag(StrEnum):
    """`--pull`: `policy` is what the file says."""

    POLICY = "policy"
    ALWAYS = "always"
    MISSING = "missing"
    NEVER = "never"


class ImageFlags(NamedTuple):
    """What the command line says about images."""

    pull: PullFlag = PullFlag.POLICY
    builds: bool = False  # --build
    never_builds: bool = False  # --no-build
    is_pull_quiet: bool = False  # --quiet-pull
    is_build_quiet: bool = False  # --quiet-build


class Pull(NamedTuple):
    """One image to fetch."""

    image: str
    platform: str = ""


class ImageNeeds(NamedTuple):
    """What is fetched, and the services whose images are built."""

    pulls: tuple[Pull, ...] = ()
    builds: tuple[Service, ...] = ()


def image_needs(
    stack_name: str,
    services: Iterable[Service],
    found: Mapping[str, ObservedImage],
    flags: ImageFlags,
    *,
    now: float,
) -> ImageNeeds:
    """What the services need; each image once."""
    pulls: dict[str, Pull] = {}
    builds: list[Service] = []
    for service in services:
        if service.provider is not None:
            continue
        image = image_of(stack_name, service)
        there = found.get(image)
        if _is_built(service, there, flags):
            builds.append(service)
        elif _is_pulled(service, there, flags, now=now):
            pulls.setdefault(image, Pull(image, service.container.platform))
    return ImageNeeds(tuple(pulls.values()), tuple(builds))


def quieted(report: Report, needs: ImageNeeds, flags: ImageFlags, *, stack_name: str) -> Report:
    """The report without what the flags leave out; what goes wrong is told all the same."""
    hidden: set[str] = set()
    if flags.is_pull_quiet:
        hidden |= {f"Image {pull.image}" for pull in needs.pulls}
    if flags.is_build_quiet:
        hidden |= {f"Image {image_of(stack_name, service)}" for service in needs.builds}

    def tell(progress: Progress) -> None:
        if progress.phase is Phase.ERROR or not {progress.id, progress.parent} & hidden:
            report(progress)

    return tell if hidden else report


def _is_built(service: Service, there: ObservedImage | None, flags: ImageFlags) -> bool:
    if service.build is None or flags.never_builds:
        return False
    return flags.builds or service.pull_builds or there is None


def _is_pulled(
    service: Service, there: ObservedImage | None, flags: ImageFlags, *, now: float
) -> bool:
    if service.build is not None and not service.container.image:
        return False  # its name is made up here
    policy = service.container.pull_policy
    if flags.pull is not PullFlag.POLICY:
        policy = PullPolicy(flags.pull.value)
    if policy is PullPolicy.ALWAYS:
        return service.build is None
    if policy is PullPolicy.NEVER:
        return False
    if there is None:
        return True
    if policy is PullPolicy.REFRESH:
        return now - _tagged(there) > service.container.pull_refresh_seconds
    return False


def _tagged(image: ObservedImage) -> float:
    try:
        return datetime.fromisoformat(image.tagged).timestamp()
    except ValueError:
        return 0.0
