"""What the engine is asked for `exec`."""

import pytest

from stackctl.errors import InputError
from stackctl.local.exec_session import ExecOptions, environment_words, exec_body


def test_every_flag_reaches_the_engine() -> None:
    options = ExecOptions(
        ("sh", "-c", "true"),
        tty=True,
        environment=("A=1",),
        user="nobody",
        working_directory="/tmp",
        is_privileged=True,
    )
    assert exec_body(options, is_detached=False) == {
        "Cmd": ["sh", "-c", "true"],
        "Tty": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Env": ["A=1"],
        "User": "nobody",
        "WorkingDir": "/tmp",
        "Privileged": True,
    }
    detached = exec_body(ExecOptions(("true",)), is_detached=True)
    assert not detached["AttachStdin"]
    assert not detached["AttachStdout"]


def test_a_name_alone_is_taken_from_here_or_left_out() -> None:
    assert environment_words(["A=", "B", "C"], {"B": "2"}) == ["A=", "B=2"]
    with pytest.raises(InputError, match="is no variable"):
        environment_words(["=x"], {})
