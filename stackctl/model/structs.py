"""The base of every model object: frozen, keyword-only, tuples and read-only mappings inside.

`gc=False` is safe because model objects never form cycles; it keeps a full collection over 100,000
tasks
short enough not to disturb elections. Change is a copy: `msgspec.structs.replace`.
"""

import msgspec


class Model(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A value of the model; equality is by content."""


class StrictModel(
    msgspec.Struct,
    frozen=True,
    gc=False,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """A value that people or programs send us: an unknown field is an error, never dropped."""
