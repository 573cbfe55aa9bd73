"""Names of images that a cluster holds itself."""

import pytest

from stackctl.compose.grammar.image_reference import image_complaint
from stackctl.model.cluster_images import cluster_reference, is_cluster_image, repository_of

ID = "sha256:1a2b3c4d5e6f" + "0" * 52
OTHER_ID = "sha256:1a2b3c4d5e60" + "0" * 52


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("shop-web", "stackctl.internal/shop-web:1a2b3c4d5e6f"),
        ("shop-web:latest", "stackctl.internal/shop-web:1a2b3c4d5e6f"),
        ("team/web:2", "stackctl.internal/team/web:2-1a2b3c4d5e6f"),
        ("registry.example.org:5000/team/web:2", "stackctl.internal/team/web:2-1a2b3c4d5e6f"),
        ("localhost/web", "stackctl.internal/web:1a2b3c4d5e6f"),
        ("web:2@sha256:" + "0" * 64, "stackctl.internal/web:2-1a2b3c4d5e6f"),
    ],
)
def test_a_name_in_the_cluster_says_image_and_content(image: str, reference: str) -> None:
    assert cluster_reference(image, ID) == reference
    assert cluster_reference(image, OTHER_ID) != reference
    assert is_cluster_image(reference)
    assert image_complaint(reference) is None


def test_a_long_tag_is_cut_and_keeps_the_content() -> None:
    reference = cluster_reference(f"web:{'t' * 128}", ID)
    assert reference.endswith("-1a2b3c4d5e6f")
    assert image_complaint(reference) is None


def test_builds_of_one_image_have_their_repository_in_common() -> None:
    repository = "stackctl.internal/team/web"
    assert repository_of(cluster_reference("team/web:2", ID)) == repository
    assert repository_of(cluster_reference("team/web:3", OTHER_ID)) == repository


@pytest.mark.parametrize("image", ["busybox", "stackctl/busybox:test", "registry.example.org/web"])
def test_other_images_are_not_the_clusters(image: str) -> None:
    assert not is_cluster_image(image)
