"""The grammar of image references: [DOMAIN/]PATH[:TAG][@DIGEST], as registries and engines have it.

The first component is a domain when it has a dot or a port or is `localhost`; it may then have
capitals, a path may not.
"""

import re

from stackctl.compose.problems import shown

NAME_LENGTH_MAX = 255

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][-a-zA-Z0-9]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][-.A-Za-z0-9_]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")


def image_complaint(reference: str) -> str | None:
    """What is wrong with an image reference, or None."""
    if not reference:
        return "is empty"
    if reference.strip() != reference or " " in reference:
        return "an image reference has no blanks"
    if _IMAGE_ID.fullmatch(reference):
        return "an image's id names it on one node only; write its name"
    name, at, digest = reference.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        return "after @ comes a digest such as sha256:… with its hexadecimal digits"
    name, tag = _split_tag(name)
    if tag is not None and not _TAG.fullmatch(tag):
        return f"{shown(tag)!r} is no tag: it has letters, digits, _, . and -, at most 128"
    return _name_complaint(name)


def _split_tag(name: str) -> tuple[str, str | None]:
    slash = name.rfind("/")
    colon = name.rfind(":")
    return (name[:colon], name[colon + 1 :]) if colon > slash else (name, None)


def _name_complaint(name: str) -> str | None:
    if len(name) > NAME_LENGTH_MAX:
        return f"the name is longer than {NAME_LENGTH_MAX} characters"
    components = name.split("/")
    first = components[0]
    if len(components) > 1 and ("." in first or ":" in first or first == "localhost"):
        if not _DOMAIN.fullmatch(first):
            return f"{shown(first)!r} is no registry such as registry.example.org:5000"
        components = components[1:]
    for component in components:
        if not component:
            return "there is an empty part in the name"
        if component != component.lower():
            return f"{shown(component)!r} must be in lower case"
        if not _COMPONENT.fullmatch(component):
            part = shown(component)
            return f"{part!r} may have letters and digits, with single separators . _ - between"
    return None
