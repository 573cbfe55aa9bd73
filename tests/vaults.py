"""A vault with a fixed key, and stacks sealed with it as a manager does before it proposes them."""

import itertools
from typing import Any

from stackctl.manager.vault import KEY_BYTES, Vault
from stackctl.model import specs
from stackctl.state import commands

VAULT = Vault(lambda: bytes(range(KEY_BYTES)))


def repeatable_vault() -> Vault:
    """One that opens the same, and whose sealed contents are the same in each run of a test."""
    numbers = itertools.count()
    return Vault(
        lambda: bytes(range(KEY_BYTES)),
        random_bytes=lambda length: next(numbers).to_bytes(length),
    )


def put_stack(spec: specs.StackSpec, *, vault: Vault = VAULT, **fields: Any) -> commands.PutStack:
    """The command that deploys the stack."""
    bare, sealed = vault.seal_stack(spec)
    return commands.PutStack(spec=bare, sealed=sealed, **fields)
