"""Secrets are opened by whoever has the cluster's data key, for what they were sealed for only."""

import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from stackctl.errors import InputError
from stackctl.manager import vault
from stackctl.manager.identity import IdentityDirectory, IdentityUnusable
from stackctl.manager.vault import SECRET_BYTES_MAX, Vault, read_data_key
from stackctl.model import objects, specs

PLAINTEXT = b"correct horse battery staple"


def sealed(by: Vault, content: bytes = PLAINTEXT, *, name: str = "shop_key") -> objects.Secret:
    """A secret of the stack `shop` as the state holds it."""
    spec = specs.StackSpec(name="shop", secrets=(specs.SecretSpec(name=name, content=content),))
    bare, contents = by.seal_stack(spec)
    return objects.Secret(id="s", spec=bare.secrets[0], content=contents[0], stack_name="shop")


@pytest.fixture
def one() -> Vault:
    key = vault.new_data_key()
    return Vault(lambda: key)


@pytest.mark.parametrize("content", [PLAINTEXT, b"", bytes(range(256)), b"x" * SECRET_BYTES_MAX])
def test_what_was_sealed_is_opened(one: Vault, content: bytes) -> None:
    secret = sealed(one, content)
    assert one.open(secret) == content
    assert secret.spec.content == b""


def test_sealing_hides_the_content_and_is_never_the_same(one: Vault) -> None:
    first, second = sealed(one), sealed(one)
    assert PLAINTEXT not in first.content.sealed
    assert first.content.sealed != second.content.sealed
    assert first.content.digest == second.content.digest


def test_digests_tell_contents_names_and_clusters_apart(one: Vault) -> None:
    other = Vault(lambda: bytes(32))
    digests = {
        sealed(one).content.digest,
        sealed(one, b"other").content.digest,
        sealed(one, name="shop_key2").content.digest,
        sealed(other).content.digest,
    }
    assert len(digests) == 4


def test_a_content_opens_only_for_what_it_was_sealed_for(one: Vault) -> None:
    secret = sealed(one)
    foreign = replace(sealed(one, b"other").content, digest=secret.content.digest)
    for wrong in (
        replace(secret, stack_name="other"),
        replace(secret, spec=replace(secret.spec, name="shop_other")),
        replace(secret, content=foreign),
        replace(secret, content=replace(secret.content, sealed=secret.content.sealed[:-1])),
    ):
        with pytest.raises(IdentityUnusable, match="is damaged"):
            one.open(wrong)


def test_another_key_and_another_form_are_named(one: Vault) -> None:
    secret = sealed(one)
    with pytest.raises(IdentityUnusable, match="another data key than this manager's"):
        Vault(lambda: bytes(32)).open(secret)
    with pytest.raises(IdentityUnusable, match="in a form that this version does not know"):
        one.open(replace(secret, content=replace(secret.content, sealed=b"\x02")))


def test_a_secret_that_is_too_large_is_refused_by_name(one: Vault) -> None:
    with pytest.raises(InputError, match="secret shop_key has 512001 bytes, the most is 512000"):
        sealed(one, b"x" * (SECRET_BYTES_MAX + 1))


def test_the_data_key_is_read_back_and_private(tmp_path: Path) -> None:
    directory = IdentityDirectory(tmp_path)
    key = vault.new_data_key()
    directory.write_data_key(key)
    assert read_data_key(directory) == key
    assert stat.S_IMODE(directory.data_key_path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "message"), [("zz", "no hexadecimal number"), ("00ff", "2 bytes, not 32")]
)
def test_a_damaged_data_key_is_named(tmp_path: Path, text: str, message: str) -> None:
    directory = IdentityDirectory(tmp_path)
    directory.data_key_path.write_text(text)
    with pytest.raises(IdentityUnusable, match=message):
        read_data_key(directory)


def test_without_a_data_key_stacks_without_secrets_still_go_through(tmp_path: Path) -> None:
    without = Vault(lambda: read_data_key(IdentityDirectory(tmp_path)))
    spec = specs.StackSpec(name="shop")
    assert without.seal_stack(spec) == (spec, ())
    with pytest.raises(IdentityUnusable, match=r"data\.key is missing"):
        sealed(without)
