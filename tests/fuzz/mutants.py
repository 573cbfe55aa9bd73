"""Real-looking Compose files with something wrong in them; a seed gives the same file for ever.

The files come from the examples and from the oracle's cases; some are made from the schema. A
mutant is one of them after a few mutations: of the parsed values (keys dropped and renamed, types
swapped, subtrees moved, giants put in), of lines (repeated, so that keys are given twice; shifted,
so that they end up elsewhere) and of bytes (flipped, cut, spliced with another file, not UTF-8).
"""

import copy
import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.fuzz.generated import generated

TESTS = Path(__file__).parents[1]
EXAMPLES = TESTS.parent / "examples"
ORACLE = TESTS / "golden" / "compose_oracle"
SURROUNDINGS = (EXAMPLES / "every-key", ORACLE)  # folders with the files that corpora name

TOKENS = [
    *(b": ", b"- ", b"\n", b"\n  ", b"\t", b"---\n", b"...\n", b"? ", b"{", b"}", b"[", b"]", b","),
    *(b"#", b"&a ", b"*a", b"*base", b"<<: ", b"!reset ", b"!override ", b"!!int ", b"!x ", b"'"),
    *(b'"', b"|\n", b">-\n", b"null", b"~", b"[]", b"{}", b"-1", b"1e999", b"0x", b"1_0", b".nan"),
    *(b"true", b"9" * 20, b"${", b"$", b"${A:-", b"${A?", b"/", b":", b"=", b"@", b"..", b"~you"),
    *(b"{{.Task.Slot}}", b"x-", b"%TAG", b"\r\n", b"\r", b"\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf"),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\x00", b"\x1b[31m", b"\xc3\xa9"),
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 0.5, 1e300, 2**63, -(2**70), "", " ", "x", "0", "-1", "true"),
    *([], {}, [None], [[]], [{}], {"": None}, {"a": {}}, ["a", "a"], {"a": 1}, "5s", "10M", "a=b"),
    *("80:80", "/x", "./x", "data:/x", "$TAG", "${", "${TAG", "$$", "node.id==x", "default", "web"),
    *("host", "service:web", "container:x", "service:", "on-failure:", "all", "NONE", ["CMD"]),
    *("every_", "1e400", "::1", "[::1]:80:80", "0-70000", "a b", "é", "a\nb", "\x7f", "..", "~"),
]
GENERATED_ODDS = 0.15
SHAPE_ODDS = 0.65
COUNTS = (1, 1, 2, 4)  # of mutations: most files fail at their first mistake
DEEP = "@@deep@@"
GIANT = "@@giant@@"
BOMB = "@@bomb@@"
NAMED = ("included/compose.yml", "included/base.yml", "included/more.env", "web.env", ".env")
BOMB_HEAD = "x-bomb0: &bomb0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"x-bomb{level}: &bomb{level} [{', '.join([f'*bomb{level - 1}'] * 9)}]\n"
    for level in range(1, 9)
)


class Mutant(NamedTuple):
    """Files by name, one of them mutated, and which of them to load together."""

    files: dict[str, bytes]
    paths: tuple[str, ...]


@cache
def corpus() -> tuple[bytes, ...]:
    """The files that mutants come from."""
    paths = [
        *sorted(EXAMPLES.glob("*/stack.yml")),
        *sorted(EXAMPLES.glob("*/compose.yml")),
        *(path for path in sorted(ORACLE.glob("*.yml")) if "refused" not in path.name),
    ]
    return tuple(path.read_bytes() for path in paths)


@cache
def parsed(number: int) -> Any:
    """A file of the corpus as plain values; None where that cannot be: with tags, for one."""
    try:
        value = yaml.safe_load(corpus()[number])
    except yaml.YAMLError:
        return None
    return json.loads(json.dumps(value, default=str))  # dates become text


def mutant(seed: int) -> Mutant:
    """The mutant of a seed."""
    dice = random.Random(seed)  # noqa: S311 - a seed must replay
    # The largest example has most of the keys, so it is taken more often than the rest.
    largest = max(range(len(corpus())), key=lambda number: len(corpus()[number]))
    number = largest if dice.random() < 0.2 else dice.randrange(len(corpus()))
    content = corpus()[number]
    kind = dice.random()
    if kind < GENERATED_ODDS:
        value = generated(dice)
        if dice.random() < 0.2:
            dice.choice(SHAPE_MUTATIONS)(value, dice)
        content = as_yaml(value, dice)
    elif kind < SHAPE_ODDS and parsed(number) is not None:
        value = copy.deepcopy(parsed(number))
        for _ in range(dice.choice(COUNTS)):
            dice.choice(SHAPE_MUTATIONS)(value, dice)
        content = as_yaml(value, dice)
    else:
        for _ in range(dice.choice(COUNTS)):
            content = dice.choice(TEXT_MUTATIONS)(content, dice)
    together = dice.random()
    if together < 0.1:
        files = {"base.yml": dice.choice(corpus()), "mutant.yml": content}
        return Mutant(files, ("base.yml", "mutant.yml"))
    if together < 0.15:  # what the largest example includes, extends and reads variables from
        files = {"base.yml": corpus()[largest], dice.choice(NAMED): content}
        return Mutant(files, ("base.yml",))
    return Mutant({"mutant.yml": content}, ("mutant.yml",))


def as_yaml(value: Any, dice: random.Random) -> bytes:
    """The value as a file, with what stands for giants put in."""
    if dice.random() < 0.5:
        text = yaml.safe_dump(value, allow_unicode=True)
    else:
        text = json.dumps(value, ensure_ascii=False, indent=dice.choice([None, 1]))
    depth = dice.choice([20, 60, 70, 500, 20_000])
    deep = "[" * depth + "]" * depth if dice.random() < 0.5 else "{a: " * depth + "}" * depth
    giant = dice.choice(["a", "a ", "9", "é", "$$", "${A}", "a:", "1s", "/a", "a."])
    giant *= dice.choice([100, 10_000, 200_000]) // len(giant)
    if BOMB in text and not text.startswith("{"):
        text = BOMB_HEAD + text
    for mark, what in ((DEEP, deep), (GIANT, f'"{giant}"'), (BOMB, "*bomb8")):
        for quoted in (f"'{mark}'", f'"{mark}"', mark):
            text = text.replace(quoted, what, 3)
    return text.encode("utf-8", "surrogatepass")


Container = dict[str, Any] | list[Any]


def places(value: Any) -> Iterator[tuple[Container, Any]]:
    """Every container in the value, with each of its keys or indices."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield value, key
            yield from places(inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield value, index
            yield from places(inner)


def _place(value: Any, dice: random.Random) -> tuple[Any, Any] | None:
    found = list(places(value))
    return dice.choice(found) if found else None


def _drop(value: Any, dice: random.Random) -> None:
    if place := _place(value, dice):
        del place[0][place[1]]


def _rename(value: Any, dice: random.Random) -> None:
    """A typo, or the name of another key."""
    place = _place(value, dice)
    if place is None or not isinstance(place[0], dict):
        return
    container, key = place
    other = _place(value, dice)
    at = dice.randrange(len(key) + 1)
    renamed = key[:at] + dice.choice("_-. x") + key[at + 1 :]
    if other is not None and isinstance(other[1], str) and dice.random() < 0.5:
        renamed = other[1]
    container[renamed] = container.pop(key)


def _swap_type(value: Any, dice: random.Random) -> None:
    if place := _place(value, dice):
        container, key = place
        was = container[key]
        wrapped = [[was], {"a": was}, {str(was)[:9]: None}, str(was)[:99], [was, was]]
        container[key] = dice.choice([*wrapped, *(copy.deepcopy(dice.sample(VALUES, 5)))])


def _move(value: Any, dice: random.Random) -> None:
    """A copy of some subtree in the place of another."""
    first, second = _place(value, dice), _place(value, dice)
    if first and second:
        first[0][first[1]] = copy.deepcopy(second[0][second[1]])


def _add(value: Any, dice: random.Random) -> None:
    """One more key or item, as found elsewhere."""
    first, second = _place(value, dice), _place(value, dice)
    if first and second:
        inner = copy.deepcopy(second[0][second[1]])
        if isinstance(first[0], list):
            first[0].append(inner)
        else:
            first[0][str(second[1])] = inner


def _put_giant(value: Any, dice: random.Random) -> None:
    if place := _place(value, dice):
        place[0][place[1]] = dice.choice([DEEP, GIANT, BOMB, GIANT])


def _multiply(value: Any, dice: random.Random) -> None:
    """Hundreds of the same."""
    if place := _place(value, dice):
        container, key = place
        inner = container[key]
        count = dice.choice([10, 300])
        if isinstance(container, list):
            container.extend(copy.deepcopy(inner) for _ in range(count))
        elif isinstance(key, str) and len(json.dumps(inner)) < 2000:
            container.update({f"{key}{n}": copy.deepcopy(inner) for n in range(count)})


def _two(content: bytes, dice: random.Random) -> tuple[int, int]:
    start = dice.randrange(len(content) + 1)
    return start, min(len(content), start + dice.choice([1, 2, 8, 40, 200]))


def _flip(content: bytes, dice: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(dice.randint(1, 5)):
        if changed:
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _cut(content: bytes, dice: random.Random) -> bytes:
    start, end = _two(content, dice)
    return content[:start] + content[end:]


def _repeat(content: bytes, dice: random.Random) -> bytes:
    start, end = _two(content, dice)
    return content[:end] + content[start:end] * dice.choice([1, 2, 50]) + content[end:]


def _splice(content: bytes, dice: random.Random) -> bytes:
    other = dice.choice(corpus())
    start, end = _two(other, dice)
    at = dice.randrange(len(content) + 1)
    return content[:at] + other[start:end] + content[at:]


def _put_token(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content) + 1)
    return content[:at] + dice.choice(TOKENS) + content[at + dice.choice([0, 0, 1, 4]) :]


def _truncate(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content) + 1)]


def _lines(content: bytes, dice: random.Random) -> bytes:
    """A line given twice, left out, shifted, or in another place."""
    lines = content.split(b"\n")
    at = dice.randrange(len(lines))
    line = lines[at]
    change = dice.randrange(4)
    if change == 0:
        lines.insert(dice.randrange(len(lines) + 1) if dice.random() < 0.5 else at, line)
    elif change == 1:
        del lines[at]
    elif change == 2:
        lines[at] = b" " * dice.choice([0, 1, 2, 4, 8]) + line.lstrip(b" ")
    else:
        lines.insert(dice.randrange(len(lines)), lines.pop(at))
    return b"\n".join(lines)


SHAPE_MUTATIONS: list[Callable[[Any, random.Random], None]] = [
    *(_drop, _rename, _swap_type, _swap_type, _swap_type, _move, _add, _put_giant, _multiply),
]
TEXT_MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    *(_flip, _cut, _repeat, _splice, _put_token, _put_token, _truncate, _lines, _lines),
]
