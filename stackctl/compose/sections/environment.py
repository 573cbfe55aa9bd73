"""`environment` and `env_file`: the variables of a container.

A name without a value takes the value from where the command runs (the shell, then `.env`), and is
left out when it is not set there. `environment` wins over every `env_file`, a later file over an
earlier one. An empty value stays empty: Swarm would replace it by the caller's variable.
"""

from stackctl.compose.grammar import task_templates
from stackctl.compose.problems import Place, Position, ProblemLog, shown
from stackctl.compose.read import ENVIRONMENT_FILE_BYTES_MAX, NoSuchFile, decode_text, read_bytes
from stackctl.compose.sections.paths import absolute_path
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import (
    boolean,
    check_label_name,
    filled_text,
    named_values,
    one_or_more,
    word,
)
from stackctl.compose.syntax.dotenv import DotenvError, parse_dotenv
from stackctl.compose.syntax.template import Lookup

_RAW = "raw"
_FORMATS = (_RAW,)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

KNOWN_TEMPLATES = f"known are {', '.join(task_templates.PLACES)}"


def read_environment(value: Value) -> dict[str, str]:
    """The variables under `environment` that have a value."""
    found: dict[str, str] = {}
    for entry in named_values(value):
        name, content = entry.name, entry.content
        if any(sign in name for sign in "= \t\n"):
            entry.problem(f"{shown(name)!r} cannot be the name of a variable")
        if content is None:
            content = value.reading.variables(name)
        if content is None:
            continue
        unknown = task_templates.unknown_template(content)
        if unknown is not None:
            entry.problem(f"unknown template {shown(unknown)}", KNOWN_TEMPLATES)
        found[name] = content
    return found


def read_env_files(value: Value) -> dict[str, str]:
    """The variables of the files under `env_file`."""
    items = [value] if isinstance(value.written, str) else value.items("a path or a list of paths")
    found: dict[str, str] = {}
    for item in items:
        found.update(_env_file(item))
    return found


def read_label_files(value: Value) -> dict[str, str]:
    """The labels in the files under `label_file`, which are written like variables."""
    found: dict[str, str] = {}
    for item in one_or_more(value):
        found.update(_variables_of(item, item, required=True))
    for name in found:
        check_label_name(value, name)
    return found


def parse_variables(
    content: bytes, *, file: str, inherited: Lookup, log: ProblemLog
) -> dict[str, str]:
    """The variables in the content of a dotenv file; what is wrong with it goes to `log`."""
    try:
        found = parse_dotenv(decode_text(content), inherited)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        log.add(Place(Position(file, line, 1), ()), "is not UTF-8 text")
        return {}
    except DotenvError as error:
        log.add(Place(Position(file, error.line, 1), ()), str(error), error.hint)
        return {}
    if any("\0" in content for content in found.values()):
        log.add(Place(Position(file, 1, 1), ()), "a value has a NUL character")
    return found


def parse_raw_variables(
    content: bytes, *, file: str, inherited: Lookup, log: ProblemLog
) -> dict[str, str]:
    """The variables of a file in the format raw: what follows `=` is the value as it stands."""
    found: dict[str, str] = {}
    for number, line in enumerate(content.removeprefix(_BYTE_ORDER_MARK).splitlines(), start=1):
        place = Place(Position(file, number, 1), ())
        try:
            text_line = line.decode("utf-8").lstrip()
        except UnicodeDecodeError:
            log.add(place, "is not UTF-8 text")
            continue
        if not text_line or text_line.startswith("#"):
            continue
        name, equals, text_value = text_line.partition("=")
        if not name or any(sign.isspace() for sign in name):
            log.add(place, f"{shown(name)!r} cannot be the name of a variable")
        elif "\0" in text_value:
            log.add(place, "a value has a NUL character")
        elif equals:
            found[name] = text_value
        else:
            own = inherited(name)
            if own is not None:
                found[name] = own
    return found


def _env_file(item: Value) -> dict[str, str]:
    if not item.is_mapping():
        return _variables_of(item, item, required=True)
    fields = Fields(item)
    path = fields.get("path")
    required = fields.read("required", boolean, True)
    is_raw = fields.read("format", word(_FORMATS), "") == _RAW
    fields.finish()
    if path is None:
        item.problem("no path is given", "add path:")
        return {}
    return _variables_of(item, path, required=required, is_raw=is_raw)


def _variables_of(
    item: Value, path_value: Value, *, required: bool, is_raw: bool = False
) -> dict[str, str]:
    """The variables in the file at a path, read in one of the two grammars."""
    written = filled_text(path_value)
    if not written:
        return {}
    if not item.needs_contents:
        return {}
    reading = item.reading
    try:
        path = reading.base / absolute_path(written, reading)
        content = read_bytes(path, bytes_max=ENVIRONMENT_FILE_BYTES_MAX)
    except NoSuchFile as error:
        if required:
            path_value.problem(str(error))
        return {}
    except ValueError as error:
        path_value.problem(str(error))
        return {}
    parse = parse_raw_variables if is_raw else parse_variables
    return parse(content, file=written, inherited=reading.variables, log=reading.log)
