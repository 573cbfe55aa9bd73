"""What `config` does: read, check, and print the files or one list out of them."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stackctl.cli.compose_options import FileOptions
from stackctl.cli.compose_reading import (
    refusal,
    show_daily_notes,
    show_problems,
    show_unknown_profiles,
)
from stackctl.cli.config_parts import chosen_part
from stackctl.cli.render.tables import Columns, Row, render_list
from stackctl.cli.session import Session
from stackctl.errors import InputError, UnknownName

if TYPE_CHECKING:
    from stackctl.compose.request import Loaded

EVERY_SERVICE = "*"

_VARIABLE_COLUMNS = Columns(
    headers={"Name": "NAME", "Value": "VALUE"}, shown=("Name", "Value"), cut="Value"
)
_NOT_SET = "(not set)"


class Listing(StrEnum):
    """The lists that can be printed instead of the files, by their flags."""

    SERVICES = "--services"
    VOLUMES = "--volumes"
    NETWORKS = "--networks"
    PROFILES = "--profiles"
    IMAGES = "--images"
    MODELS = "--models"
    VARIABLES = "--variables"
    ENVIRONMENT = "--environment"
    HASH = "--hash"


# A missing variable is itself a problem, and these lists help to find it.
_SHOWN_ANYWAY = (Listing.VARIABLES, Listing.ENVIRONMENT)


class ConfigOptions(NamedTuple):
    """The flags of `config`."""

    files: FileOptions
    stack_name: str | None = None
    services: tuple[str, ...] = ()
    as_json: bool = False
    is_quiet: bool = False
    output: str | None = None
    listings: Sequence[Listing] = ()
    hashed: str = ""
    is_interpolated: bool = True
    is_normalized: bool = True
    is_checked: bool = True


def print_config(session: Session, options: ConfigOptions) -> int:
    """Print what the files say. Raises InputError when they are wrong, or flags exclude others."""
    from stackctl.compose.contents import Contents, Purpose
    from stackctl.compose.load import examine

    _check_flags(options)
    request = options.files.request(session, options.stack_name)._replace(
        interpolate=options.is_interpolated, checks=options.is_checked
    )
    if options.services:
        contents = Contents(Purpose.CONTAINERS, options.services)
        request = request._replace(contents=contents)
    loaded = examine(request, None)
    if loaded.problems:
        show_problems(session, loaded.problems)
        if options.listings and options.listings[0] in _SHOWN_ANYWAY:
            _write(session, options, _text(session, loaded, options))
        raise refusal(len(loaded.problems))
    if options.services:
        loaded = chosen_part(request, loaded, options.services)
    if not options.is_quiet:
        show_daily_notes(session, loaded.notes, loaded.switched_off)
        show_unknown_profiles(session, request.profiles, loaded.profiles)
        _write(session, options, _text(session, loaded, options))
    return 0


def _check_flags(options: ConfigOptions) -> None:
    if len(options.listings) > 1:
        raise InputError(f"{' and '.join(options.listings)} exclude each other")
    if options.listings and not options.is_interpolated:
        raise InputError(
            f"{options.listings[0]} needs the values of variables: it does not go "
            "with --no-interpolate"
        )
    if options.listings and options.as_json:
        raise InputError(f"{options.listings[0]} prints lines: it does not go with --format json")


def _write(session: Session, options: ConfigOptions, text: str) -> None:
    if options.output is None:
        session.terminal.write(text)
        return
    try:
        Path(options.output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{options.output} cannot be written: {error.strerror}") from error


def _text(session: Session, loaded: "Loaded", options: ConfigOptions) -> str:
    from stackctl.compose.printing.canonical import document_mapping, to_text, tree_mapping

    if options.listings:
        return _listing(session, loaded, options)
    if options.is_normalized and options.is_interpolated:
        mapping = document_mapping(loaded.document, loaded.name)
    else:
        mapping = tree_mapping(loaded.root, loaded.name)
    return to_text(mapping, as_json=options.as_json, keeps_variables=not options.is_interpolated)


def _listing(session: Session, loaded: "Loaded", options: ConfigOptions) -> str:
    document = loaded.document
    match options.listings[0]:
        case Listing.SERVICES:
            return _lines(service.key for service in document.services)
        case Listing.VOLUMES:
            return _lines(document.volumes)
        case Listing.NETWORKS:
            return _lines(document.networks)
        case Listing.PROFILES:
            return _lines(sorted(loaded.profiles))
        case Listing.IMAGES:
            return _lines(_images(loaded))
        case Listing.MODELS:
            return _lines(sorted(model.model for model in document.models.values()))
        case Listing.VARIABLES:
            return _variables(session, loaded)
        case Listing.ENVIRONMENT:
            pairs = sorted(loaded.variables.items())
            return _lines(f"{name}={value}" for name, value in pairs if value is not None)
        case Listing.HASH:
            return _hashes(loaded, options.hashed)


def _lines(words: Iterable[str]) -> str:
    return "".join(f"{word}\n" for word in words)


def _images(loaded: "Loaded") -> list[str]:
    """Each image once; one that is only built has the name that a build gives it."""
    return sorted(
        {
            service.container.image or f"{loaded.name}-{service.key}"
            for service in loaded.document.services
            if service.container.image or service.build is not None
        }
    )


def _variables(session: Session, loaded: "Loaded") -> str:
    rows: list[Row] = [
        {"Name": name, "Value": _NOT_SET if value is None else value}
        for name, value in sorted(loaded.variables.items())
    ]
    width = session.terminal.table_width
    return render_list(rows, _VARIABLE_COLUMNS, layout="", width=width)


def _hashes(loaded: "Loaded", wanted: str) -> str:
    from stackctl.compose.printing.hashing import service_hash

    services = {service.key: service for service in loaded.document.services}
    if wanted != EVERY_SERVICE and wanted not in services:
        raise UnknownName("service", wanted, known=services)
    keys = sorted(services) if wanted == EVERY_SERVICE else [wanted]
    return _lines(f"{key} {service_hash(services[key])}" for key in keys)
