"""The documents that are made from the code say what the code says; `make docs` writes them."""

from pathlib import Path

import pytest

from stackctl.compose.deviations import DEVIATIONS
from stackctl.compose.documentation import deviations_document, verdicts_document

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("name", "made"),
    [("compose.md", verdicts_document()), ("compose-deviations.md", deviations_document())],
    ids=["verdicts", "deviations"],
)
def test_the_written_document_is_what_the_code_says(name: str, made: str) -> None:
    assert (DOCS / name).read_text() == made, "run make docs"


def test_each_deviation_has_an_id_of_its_own() -> None:
    ids = [deviation.id for deviation in DEVIATIONS]
    assert len(set(ids)) == len(ids)
    assert all(all(deviation) for deviation in DEVIATIONS)
