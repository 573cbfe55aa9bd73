"""YAML as it is printed: whatever goes in is what our reader, and PyYAML's, get out again."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from stackctl.compose.printing.yaml_text import Plain, to_yaml
from stackctl.compose.problems import ProblemLog
from stackctl.compose.syntax import tree
from stackctl.compose.syntax.yaml_tree import parse

ODD_TEXTS = (
    "",
    " ",
    "yes",
    "No",
    "22:22",
    "1e3",
    "1_000",
    "0o17",
    "08",
    "2024-01-01",
    "~",
    "null",
    ".inf",
    "<<",
    "=",
    "- a",
    "a: b",
    "a #b",
    "a:",
    "a b",
    "$$HOME",
    "{a}",
    "a\n",
    "a\nb",
    "a\n\nb\n",
    "\na",
    "  a\nb",
    "a\n  b\n",
    "a \nb",
    "a\n\n",
    "a\tb\n\tc",
    "é\u2028",
    "a\u0085b\nc",
    "\ufeff",
    "🐘 elephant",
    "x" * 2000,
)
texts = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
    st.text("ab01:-_. #'\"\n\t{}[]&*!|>%@`,?$~=", max_size=12),
)
scalars = st.one_of(
    texts,
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


def _plain(node: tree.Node) -> Plain:
    if isinstance(node, tree.Mapping):
        return {entry.key: _plain(entry.value) for entry in node}
    if isinstance(node, tree.Sequence):
        return [_plain(item) for item in node.items]
    return node.value


def _read(text: str) -> Plain:
    log = ProblemLog()
    found = parse(text, file="printed.yaml", log=log)
    assert log.problems() == (), text
    return _plain(found)


def _same(read: Plain, written: Plain) -> bool:
    return repr(read) == repr(written)


@given(values)
def test_what_is_printed_reads_back_as_it_was(value: Plain) -> None:
    assert _same(_read(to_yaml(value)), value), to_yaml(value)


@given(st.one_of(st.dictionaries(texts, texts), st.lists(texts)))
def test_a_reader_of_older_yaml_finds_the_same_texts(value: Plain) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


def test_each_odd_text_survives_as_value_key_and_item() -> None:
    for text in ODD_TEXTS:
        value: Plain = {text: [text, {"key": text}, [text]]}
        assert _same(_read(to_yaml(value)), value), to_yaml(value)


def test_plain_words_stay_without_quotes_and_lines_become_a_block() -> None:
    printed = to_yaml(
        {
            "name": "shop",
            "services": {
                "web": {
                    "image": "registry.example/shop/web:1.2",
                    "command": ["sh", "-c", "echo hello world"],
                    "environment": {"TOKEN": "yes", "PORT": "8080", "EMPTY": ""},
                    "init": True,
                    "labels": {},
                }
            },
            "configs": {"page": {"content": "<p>\n  one\n</p>\n"}},
        }
    )
    assert printed == (
        "name: shop\n"
        "services:\n"
        "  web:\n"
        "    image: registry.example/shop/web:1.2\n"
        "    command:\n"
        "      - sh\n"
        '      - "-c"\n'
        "      - echo hello world\n"
        "    environment:\n"
        '      TOKEN: "yes"\n'
        '      PORT: "8080"\n'
        '      EMPTY: ""\n'
        "    init: true\n"
        "    labels: {}\n"
        "configs:\n"
        "  page:\n"
        "    content: |\n"
        "      <p>\n"
        "        one\n"
        "      </p>\n"
    )
