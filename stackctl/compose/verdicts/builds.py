"""Verdicts for the keys of a service that say how its image is built.

One file may be used without building anything, so a key that the engine's builders lack is refused
where an image is built, and not where a file is read.
"""

from stackctl.compose.verdicts.rules import Verdict, honoured, rule, rules

_BUILD = "services.*.build"

_OF_DEPLOYS = honoured(
    "used by commands that build, deploy --build among them; without it a deploy needs the image "
    "to be there already"
)


def _lacking(reason: str) -> Verdict:
    return honoured(f"as long as the image is there: a build is refused, as {reason}")


_NO_RIGHTS = _lacking("the engine's build call grants no further rights")
_NO_ATTESTATIONS = _lacking("the engine's image store holds no attestations")
_LIMIT = honoured("by the classic builder on engines before 23, by BuildKit on later ones")

BUILDS = (
    rule(
        _BUILD,
        _OF_DEPLOYS,
        honoured(
            "by the engine's BuildKit, or by its classic builder where it has none or "
            "DOCKER_BUILDKIT is 0"
        ),
        parts="""context dockerfile dockerfile_inline args no_cache pull target tags labels
        extra_hosts""",
    ),
    rule(
        f"{_BUILD}.network",
        honoured("other networks than none and host by the classic builder"),
    ),
    rule(f"{_BUILD}.shm_size", _LIMIT),
    rule(f"{_BUILD}.ulimits", _LIMIT, parts="*.soft *.hard"),
    rule(
        f"{_BUILD}.secrets",
        honoured("by BuildKit alone; the owner and the mode that hold stand in RUN --mount"),
        parts="[].source [].target [].uid [].gid [].mode",
    ),
    rule(
        f"{_BUILD}.ssh",
        honoured(
            "by BuildKit alone, with keys of an ssh agent; a build can only list and use them"
        ),
    ),
    rule(
        f"{_BUILD}.cache_from",
        honoured("images, here or in a registry; a build with another sort of cache is refused"),
    ),
    rule(
        f"{_BUILD}.cache_to",
        honoured("by BuildKit alone, and type=inline alone; a build with others is refused"),
    ),
    rule(
        f"{_BUILD}.platforms",
        honoured("one; a build for several is refused, as the engine's image store holds one"),
    ),
    rule(
        f"{_BUILD}.additional_contexts",
        _lacking("the engine's build call takes one context"),
    ),
    rule(
        f"{_BUILD}.no_cache_filter",
        _lacking("the engine's build call uses its cache for all stages or none"),
    ),
    *rules(_BUILD, "privileged entitlements", _NO_RIGHTS),
    *rules(_BUILD, "provenance sbom", _NO_ATTESTATIONS),
    rule(
        f"{_BUILD}.isolation",
        _lacking("only Windows isolates builds; default is taken"),
    ),
)
