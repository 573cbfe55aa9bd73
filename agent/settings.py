"""The agent's settings, and where it keeps its files.

STATE_DIR/identity/                who this node is (written at enrolment; shared with the
                                   manager on a manager's node)
STATE_DIR/agent/assignment.bin     the last assignment set, so that an agent without managers
                                   keeps its tasks and its network
STATE_DIR/agent/tasks.bin          what is known of each task beyond the engine
STATE_DIR/agent/managers.json      the managers' addresses as last heard
STATE_DIR/configs/ID/              the configs that tasks mount
RUN_DIR/secrets/TASK/              the secrets that a task mounts; in memory, whatever RUN_DIR is
"""

from pathlib import Path

import msgspec

from agent.core.generic_resources import Offer

DEFAULT_STATE_DIR = Path("/var/lib/stackctl")
DEFAULT_RUN_DIR = Path("/run/stackctl")
DEFAULT_ENGINE_URL = "unix:///var/run/docker.sock"
DEFAULT_VXLAN_PORT = 4789


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the command line decides."""

    state_dir: Path = DEFAULT_STATE_DIR
    run_dir: Path = DEFAULT_RUN_DIR
    hostname: str
    data_address: str
    engine_url: str = DEFAULT_ENGINE_URL
    join_token: str = ""
    join_addresses: tuple[str, ...] = ()
    vxlan_port: int = DEFAULT_VXLAN_PORT
    generic: Offer = Offer()

    @property
    def identity_dir(self) -> Path:
        """Certificates, key, and who this node is."""
        return self.state_dir / "identity"

    @property
    def agent_dir(self) -> Path:
        """What the agent remembers from one start to the next."""
        return self.state_dir / "agent"

    @property
    def configs_dir(self) -> Path:
        """The configs that tasks mount."""
        return self.state_dir / "configs"

    @property
    def secrets_dir(self) -> Path:
        """The secrets that tasks mount, in memory."""
        return self.run_dir / "secrets"
