"""`volumes` as a table, as names, and through a template."""

from pathlib import Path

import pytest

from stackctl.cli.main import main
from tests.fakes.engine_socket import serve_lists

VOLUMES = [
    {
        "Name": f"shop_{key}",
        "Driver": driver,
        "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.volume": key},
    }
    for key, driver in (("rows", "local"), ("data", "nfs"))
]
TABLE = """\
DRIVER    VOLUME NAME
nfs       shop_data
local     shop_rows
"""


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ([], TABLE),
        (["-q"], "shop_data\nshop_rows\n"),
        (["--format", "{{.Name}} {{.Key}}"], "shop_data data\nshop_rows rows\n"),
    ],
)
def test_volumes_are_listed_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], printed: str
) -> None:
    path = tmp_path / "engine.sock"
    with serve_lists(path, {"/volumes": {"Volumes": VOLUMES}, "/containers/json": []}):
        environment = {"DOCKER_HOST": f"unix://{path}", "HOME": str(tmp_path)}
        assert main(["-p", "shop", "volumes", *words], environment) == 0
    assert capsys.readouterr().out == printed
