"""Configs and secrets by content: one name, several contents; secrets only sealed."""

import pytest
from msgspec.structs import replace

from stackctl.model import objects, specs
from stackctl.state import commands, contents, snapshot
from stackctl.state.changes import DropSecret
from stackctl.state.history import REVISIONS_MAX
from tests import vaults
from tests.unit.core.bench import Bench, service_spec, stack_spec

PLAINTEXT = b"correct horse battery staple"
KEY = specs.ConfigReference(name="shop_key", target="/run/secrets/key")


def with_secret(
    content: bytes = PLAINTEXT, *, monitor_seconds: float = 0, replicas: int = 1
) -> specs.StackSpec:
    """A service with the secret and one without."""
    update = specs.UpdatePolicy(monitor_seconds=monitor_seconds)
    user = service_spec(update=update, replicas=replicas)
    user = replace(
        user, task=replace(user.task, container=replace(user.task.container, secrets=(KEY,)))
    )
    stack = stack_spec(user, service_spec("shop_plain"))
    return replace(stack, secrets=(specs.SecretSpec(name="shop_key", content=content),))


def held(bench: Bench) -> dict[int, bytes]:
    """The contents of the secret by number."""
    return {secret.number: vaults.VAULT.open(secret) for secret in bench.state.secrets.values()}


def mounted(bench: Bench) -> bytes:
    """The content that the service's current revision mounts."""
    service = bench.service()
    secret_id = service.secret_ids[service.revision]["shop_key"]
    return vaults.VAULT.open(bench.state.secrets[secret_id])


def test_the_same_secret_sealed_again_changes_nothing_but_the_index() -> None:
    bench = Bench("n1")
    bench.put(with_secret())
    bench.obey()
    before = bench.state
    result = bench.put(with_secret())
    assert {change.action for change in result.changes} == {"unchanged"}
    assert bench.state == replace(before, index=before.index + 1)


def test_a_changed_secret_updates_exactly_its_users() -> None:
    bench = Bench("n1")
    bench.put(with_secret())
    bench.obey()
    result = bench.put(with_secret(b"other"))
    causes = {change.name: (change.action, change.cause) for change in result.changes}
    assert causes["shop_key"] == ("update", "content changed")
    assert causes["shop_web"] == ("update", "content of secret shop_key changed")
    assert causes["shop_plain"] == ("unchanged", "")
    assert mounted(bench) == b"other"


def test_a_rollback_mounts_the_content_of_its_revision() -> None:
    bench = Bench("n1")
    for content in (b"one", b"two"):
        bench.put(with_secret(content))
        bench.obey()
    bench.submit(commands.RollbackService(service_id=bench.service().id, now=bench.now))
    bench.obey()
    assert mounted(bench) == b"one"
    result = bench.put(with_secret(b"two"))
    assert {change.name for change in result.changes if change.action == "update"} == {"shop_web"}
    assert mounted(bench) == b"two"


def test_contents_are_numbered_by_name_and_collected_when_no_revision_needs_them() -> None:
    bench = Bench("n1")
    for number in range(REVISIONS_MAX + 3):
        bench.put(with_secret(str(number).encode()))
        bench.obey()
    kept = held(bench)
    last = REVISIONS_MAX + 3
    assert max(kept) == last
    assert kept[last] == str(last - 1).encode()
    assert len(kept) == REVISIONS_MAX


def test_a_content_that_comes_back_is_the_one_that_was_kept() -> None:
    bench = Bench("n1")
    for content in (b"one", b"two", b"one"):
        bench.put(with_secret(content))
        bench.obey()
    assert held(bench) == {1: b"one", 2: b"two"}
    assert mounted(bench) == b"one"


def test_other_labels_of_a_secret_replace_nothing() -> None:
    bench = Bench("n1")
    spec = with_secret()
    bench.put(spec)
    labelled = replace(spec.secrets[0], labels={"a": "b"})
    result = bench.put(replace(spec, secrets=(labelled,)))
    causes = {change.name: change.cause for change in result.changes}
    assert causes["shop_key"] == "labels changed"
    assert bench.service().revision == 1


def test_a_pruned_secret_stays_until_no_revision_uses_it() -> None:
    bench = Bench("n1")
    bench.put(with_secret())
    bench.obey()
    bench.put(stack_spec(service_spec(), service_spec("shop_plain")), prune=True)
    bench.settle()
    assert held(bench) == {1: PLAINTEXT}, "the previous revision needs it for a rollback"
    bench.submit(commands.RemoveStack(name="shop", now=bench.now))
    bench.wait(6)
    bench.obey()
    assert not bench.state.secrets
    assert not bench.state.secret_ids


def test_a_secret_in_use_is_not_dropped() -> None:
    bench = Bench("n1")
    bench.put(with_secret())
    (secret_id,) = bench.state.secrets
    bench.submit(
        commands.ApplyRound(term=1, changes=(DropSecret(secret_id=secret_id),), now=bench.now)
    )
    assert secret_id in bench.state.secrets


def test_a_config_and_a_secret_may_have_one_name() -> None:
    bench = Bench("n1")
    spec = replace(with_secret(), configs=(specs.ConfigSpec(name="shop_key", content=PLAINTEXT),))
    assert bench.put(spec).error is None
    kinds = {contents.kind_of(item) for item in contents.every_content(bench.state)}
    assert kinds == {"config", "secret"}


def test_of_a_secret_in_clear_nothing_is_taken_in() -> None:
    bench = Bench("n1")
    command = vaults.put_stack(with_secret(), seed=b"s", now=1)
    for wrong, message in (
        (replace(command, spec=with_secret()), "came in clear"),
        (replace(command, sealed=()), "came without its content"),
        (replace(command, sealed=command.sealed * 2), "came without its content"),
    ):
        result = bench.submit(wrong)
        assert result.error is not None
        assert message in result.error.message
    assert not bench.state.stacks


def test_the_secret_of_another_stack_is_not_taken_over() -> None:
    bench = Bench("n1")
    bench.put(with_secret())
    other = replace(
        stack_spec(name="other"), secrets=(specs.SecretSpec(name="shop_key", content=b"x"),)
    )
    result = bench.put(other)
    assert result.error is not None
    assert result.error.message == "secret shop_key already exists and belongs to stack shop"


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ((replace(KEY, name="shop_nokey"),), "uses the undefined secret shop_nokey"),
        ((KEY, replace(KEY, mode=0o400)), "mounts two files at /run/secrets/key"),
    ],
)
def test_impossible_uses_are_refused(
    references: tuple[specs.ConfigReference, ...], message: str
) -> None:
    spec = with_secret()
    user = spec.services[0]
    container = replace(user.task.container, secrets=references)
    user = replace(user, task=replace(user.task, container=container))
    result = Bench("n1").put(replace(spec, services=(user,)))
    assert result.error is not None
    assert message in result.error.message


def test_no_entry_and_no_snapshot_holds_the_plaintext() -> None:
    bench = Bench("n1")
    command = vaults.put_stack(with_secret(), seed=b"s", now=1)
    assert PLAINTEXT not in commands.encode_command(command)
    bench.submit(command)
    bench.obey()
    chunks = list(snapshot.encode_state(bench.state))
    assert PLAINTEXT not in b"".join(chunks)
    assert snapshot.decode_state(chunks) == bench.state
    assert PLAINTEXT.decode() not in repr(bench.state)


def test_a_service_that_an_older_manager_wrote_mounts_no_secrets() -> None:
    service = objects.Service(id="s", spec=service_spec(), config_ids={1: {"c": "x"}})
    assert contents.ids_of_revision(service, 1) == contents.ContentIds(configs={"c": "x"})
