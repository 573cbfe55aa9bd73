"""`stackctl-agent`: the command line, the log, and the process around the node's agent."""

import argparse
import ctypes
import logging
import os
import socket
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from agent import settings as agent_settings
from agent.core.generic_resources import parse_offers
from agent.settings import Settings
from stackctl.errors import InputError, StackctlError

_MALLOPT_ARENAS_MAX = -8  # M_ARENA_MAX of malloc.h
_ARENAS_MAX = 2


def run() -> None:
    """The program. Ends with the exit code of the error tree."""
    settings = parse_arguments(sys.argv[1:])
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    _spare_memory()
    try:
        from agent import node_agent  # noqa: PLC0415  # `_spare_memory` decides what it loads

        node_agent.run(settings)
    except StackctlError as error:
        logging.shutdown()
        hint = f"\n  hint: {error.hint}" if error.hint else ""
        print(f"stackctl-agent: {error.message}{hint}", file=sys.stderr)  # noqa: T201  # for a person
        sys.exit(error.exit_code)
    logging.shutdown()
    # Threads may still be inside a call to the engine; they hold nothing that must be put away.
    os._exit(0)


def parse_arguments(arguments: Sequence[str]) -> Settings:
    """The settings that a command line says; ends the program when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="stackctl-agent", description="Runs the tasks that a stackctl cluster gives this node."
    )
    parser.add_argument("--state-dir", type=Path, default=agent_settings.DEFAULT_STATE_DIR)
    parser.add_argument("--run-dir", type=Path, default=agent_settings.DEFAULT_RUN_DIR)
    parser.add_argument(
        "--hostname", default=socket.gethostname(), help="the node's name for people"
    )
    parser.add_argument(
        "--data-address", required=True, help="this node's address for traffic between tasks"
    )
    parser.add_argument(
        "--engine",
        default=agent_settings.DEFAULT_ENGINE_URL,
        help="unix:///path of the Docker Engine (default %(default)s)",
    )
    parser.add_argument(
        "--generic-resource",
        action="append",
        default=[],
        metavar="KIND=NUMBER|NAME",
        help="what this node offers beside cpus and memory: SSD=2, or GPU=UUID1 for each piece",
    )
    parser.add_argument("--vxlan-port", type=int, default=agent_settings.DEFAULT_VXLAN_PORT)
    parser.add_argument("--join-token", default="", help="become a member with this token")
    parser.add_argument(
        "--join",
        action="append",
        default=[],
        metavar="IP:PORT",
        help="a manager to join; may be given several times",
    )
    parsed = parser.parse_args(arguments)
    if not parsed.engine.startswith("unix:///"):
        parser.error(f"--engine {parsed.engine}: only unix:///path is supported")
    try:
        generic = parse_offers(parsed.generic_resource)
    except InputError as error:
        parser.error(error.message)
    return Settings(
        state_dir=parsed.state_dir,
        run_dir=parsed.run_dir,
        hostname=parsed.hostname,
        data_address=parsed.data_address,
        engine_url=parsed.engine,
        join_token=parsed.join_token,
        join_addresses=tuple(parsed.join),
        vxlan_port=parsed.vxlan_port,
        generic=generic,
    )


def _spare_memory() -> None:
    # Libraries load these if they can, and an agent never uses them: paramiko (20 MB) is for
    # engines at ssh://, charset_normalizer (3 MB) guesses the encoding of web pages.
    for name in ("paramiko", "charset_normalizer"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None: not to be imported
    warnings.filterwarnings("ignore", message="Unable to find acceptable character detection")
    # aiohttp loads the certificates of the whole web (3 MB); ours is the cluster's own authority.
    os.environ["SSL_CERT_FILE"] = os.devnull
    os.environ["SSL_CERT_DIR"] = os.devnull
    # The C library keeps an arena of memory for each thread otherwise.
    try:
        ctypes.CDLL(None).mallopt(_MALLOPT_ARENAS_MAX, _ARENAS_MAX)
    except (OSError, AttributeError):
        logging.getLogger(__name__).debug("this C library has no mallopt")
