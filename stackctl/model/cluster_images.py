"""Images that a cluster holds itself: built at a terminal, kept by the managers, in no registry.

They are known by their names alone, `stackctl.internal/shop-web:1a2b3c4d5e6f`, as if the managers
were a registry. The tag ends with the beginning of the image's id. So the name says which content
is meant: another build is another name, a spec that names it is another spec, and nothing else
(neither the model nor the agents' way with images) has to know that an image was built here.
The top-level domain `internal` is in no public name service, so an engine finds no stranger there.
"""

REGISTRY = "stackctl.internal"
NAME_LENGTH_MAX = 255

_ID_DIGITS = 12
_TAG_LENGTH_MAX = 128


def is_cluster_image(reference: str) -> bool:
    """Whether managers hold the image of this name, and no registry does."""
    return reference.startswith(f"{REGISTRY}/")


def cluster_reference(image: str, image_id: str) -> str:
    """The name in the cluster of the image `image`, whose id is `sha256:…`.

    A registry in front goes: `registry.example.org:5000/team/web:2` becomes
    `stackctl.internal/team/web:2-1a2b3c4d5e6f`. The tag `latest` says nothing, and goes too.
    """
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        name = rest
    colon = name.rfind(":")
    tag = ""
    if colon > name.rfind("/"):
        name, tag = name[:colon], name[colon + 1 :]
    digits = image_id.removeprefix("sha256:")[:_ID_DIGITS]
    if tag in ("", "latest"):
        return f"{REGISTRY}/{name}:{digits}"
    return f"{REGISTRY}/{name}:{tag[: _TAG_LENGTH_MAX - _ID_DIGITS - 1]}-{digits}"


def repository_of(reference: str) -> str:
    """The name without its tag: what all builds of one image have in common."""
    return reference.rpartition(":")[0]
