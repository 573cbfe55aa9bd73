"""A folder as a tar stream: complete, in order, without what is ignored."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from stackctl.errors import InputError
from stackctl.local.building.context_tar import ExtraFile, read_ignore_patterns, stream_folder
from stackctl.local.building.ignore_patterns import IgnorePatterns


def make_files(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def sent(
    folder: Path, dockerfile: str = "Dockerfile", extra: tuple[ExtraFile, ...] = ()
) -> tarfile.TarFile:
    stream = stream_folder(folder, read_ignore_patterns(folder, dockerfile), extra)
    return tarfile.open(fileobj=io.BytesIO(b"".join(stream)))


def content_of(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    assert found is not None
    return found.read()


def test_all_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    make_files(tmp_path, {"b/c": "3", "a": "1" * 700, "Dockerfile": "FROM x"})
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "a").chmod(0o751)
    archive = sent(tmp_path)
    assert archive.getnames() == ["Dockerfile", "a", "b", "b/c", "link"]
    member = archive.getmember("a")
    assert (member.mode, member.uid, member.size) == (0o751, 0, 700)
    assert content_of(archive, "a") == b"1" * 700
    assert archive.getmember("link").linkname == "a"


def test_long_and_foreign_names_survive(tmp_path: Path) -> None:
    name = "ä" * 60 + "/" + "x" * 120
    make_files(tmp_path, {name: ""})
    assert sent(tmp_path).getnames()[-1] == name


def test_ignored_files_are_not_sent_but_the_dockerfile_is(tmp_path: Path) -> None:
    make_files(
        tmp_path,
        {
            ".dockerignore": "*\n!src/kept\n",
            "Dockerfile": "",
            "src/kept": "",
            "src/b": "",
            "x/y": "",
        },
    )
    assert sent(tmp_path).getnames() == [".dockerignore", "Dockerfile", "src", "src/kept"]


def test_an_ignore_file_of_the_dockerfile_wins(tmp_path: Path) -> None:
    make_files(
        tmp_path,
        {
            ".dockerignore": "a",
            "dev.Dockerfile.dockerignore": "b",
            "dev.Dockerfile": "",
            "a": "",
            "b": "",
        },
    )
    assert "a" in sent(tmp_path, "dev.Dockerfile").getnames()
    assert "b" not in sent(tmp_path, "dev.Dockerfile").getnames()


def test_extra_files_end_the_stream(tmp_path: Path) -> None:
    archive = sent(tmp_path, extra=(ExtraFile(".dockerfile.1", b"FROM x\n"),))
    assert content_of(archive, ".dockerfile.1") == b"FROM x\n"


def test_the_same_files_make_the_same_stream(tmp_path: Path) -> None:
    make_files(tmp_path, {"a": "1", "b": "2"})
    nothing = IgnorePatterns(())
    assert b"".join(stream_folder(tmp_path, nothing)) == b"".join(stream_folder(tmp_path, nothing))


def test_sockets_are_left_out_and_pipes_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert sent(tmp_path).getmember("pipe").isfifo()


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*/none: No such file"):
        list(stream_folder(tmp_path / "none", IgnorePatterns(())))


def test_a_broken_ignore_file_is_named(tmp_path: Path) -> None:
    make_files(tmp_path, {".dockerignore": "a[b"})
    with pytest.raises(InputError, match=r"\.dockerignore cannot be used"):
        read_ignore_patterns(tmp_path, "Dockerfile")
