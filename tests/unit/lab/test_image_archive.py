"""Archives of images: the same inputs give the same images, and nothing is made twice."""

import tarfile
from pathlib import Path

import pytest

from stackctl.lab import image_archive
from stackctl.lab.image_archive import ImageRecipe, LayerEntry

ENTRIES = (
    LayerEntry("bin"),
    LayerEntry("bin/tool", content=b"#!/bin/sh\n"),
    LayerEntry("bin/alias", link_to="tool"),
)


def write_layer(path: Path) -> Path:
    image_archive.write_layer(path, ENTRIES)
    return path


def recipe(tag: str, *layers: Path, word: str = "x") -> ImageRecipe:
    return ImageRecipe(tags=(tag,), layers=layers, command=("tool",), environment={"WORD": word})


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for number in range(2):
        layer = write_layer(tmp_path / f"layer{number}.tar")
        archive = tmp_path / f"{number}.tar"
        image_archive.write_archive(archive, [recipe("a:1", layer)])
        written.append(archive.read_bytes())
    assert written[0] == written[1]


def test_another_configuration_is_another_image(tmp_path: Path) -> None:
    layer = write_layer(tmp_path / "layer.tar")
    archive = tmp_path / "archive.tar"
    ids = image_archive.write_archive(
        archive, [recipe("a:1", layer), recipe("a:2", layer, word="y")]
    )
    assert ids["a:1"] != ids["a:2"]
    assert image_archive.read_tags(archive) == ids


def test_a_layer_of_several_images_is_in_the_archive_once(tmp_path: Path) -> None:
    layer = write_layer(tmp_path / "layer.tar")
    archive = tmp_path / "archive.tar"
    image_archive.write_archive(archive, [recipe("a:1", layer), recipe("b:1", layer)])
    with tarfile.open(archive) as opened:
        names = opened.getnames()
    assert len([name for name in names if name.endswith("layer.tar")]) == 1


def test_a_layer_holds_files_folders_and_links(tmp_path: Path) -> None:
    with tarfile.open(write_layer(tmp_path / "layer.tar")) as layer:
        folder, file, link = layer.getmembers()
        content = layer.extractfile(file)
        assert content is not None
        assert content.read() == b"#!/bin/sh\n"
    assert folder.isdir()
    assert link.issym()
    assert link.linkname == "tool"
    assert {member.mtime for member in (folder, file, link)} == {0}


def test_an_archive_is_built_once_and_again_only_from_other_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built: list[Path] = []

    def build(path: Path) -> None:
        built.append(path)
        path.write_bytes(b"archive")

    first = image_archive.cached_archive("a", [b"1"], build)
    assert image_archive.cached_archive("a", [b"1"], build) == first
    assert built == [first]
    second = image_archive.cached_archive("a", [b"2"], build)
    assert built == [first, second]
    assert not first.exists()


def test_an_archive_that_fails_to_be_written_is_not_there(tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    with pytest.raises(FileNotFoundError):
        image_archive.write_archive(archive, [recipe("a:1", tmp_path / "missing.tar")])
    assert list(tmp_path.iterdir()) == []
