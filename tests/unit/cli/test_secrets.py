"""What the command line shows of configs and secrets: all but what they say."""

import json

from msgspec.structs import replace

from stackctl.model import specs
from tests.command_line import Run, service_spec
from tests.fakes.api_cluster import FakeCluster


def spec(content: bytes) -> specs.StackSpec:
    service = service_spec("blog_web")
    reference = specs.ConfigReference(name="blog_key", target="/run/secrets/key")
    container = replace(service.task.container, secrets=(reference,))
    service = replace(service, task=replace(service.task, container=container))
    secret = specs.SecretSpec(name="blog_key", content=content, labels={"tier": "front"})
    return specs.StackSpec(name="blog", services=(service,), secrets=(secret,))


def test_each_content_of_a_secret_is_a_row(run: Run, cluster: FakeCluster) -> None:
    for content in (b"one", b"two"):
        cluster.put_stack(spec(content), prune=False)
    done = run("secret", "ls", "--format", "{{.Name}} {{.Version}} {{.State}} {{.UsedBy}}")
    assert done.out == "blog_key 2 current blog_web\nblog_key 1 former blog_web\n"
    header = run("secret", "ls").out.splitlines()[0].split()
    assert header == ["ID", "NAME", "VERSION", "STATE", "DIGEST", "USED", "BY", "CREATED"]


def test_secrets_are_filtered_by_service_label_and_stack(run: Run, shop: FakeCluster) -> None:
    shop.put_stack(spec(b"one"), prune=False)
    for wanted in ("service=blog_web", "label=tier=front", "stack=blog", "name=blog"):
        done = run("secret", "ls", "--filter", wanted, "--format", "{{.Name}}")
        assert done.out == "blog_key\n", wanted


def test_a_stacks_configs_and_secrets_are_listed(run: Run, shop: FakeCluster) -> None:
    assert run("stack", "configs", "--format", "{{.Name}}", "shop").out == "shop_motd\n"
    assert run("stack", "secrets", "--format", "{{.Name}}", "shop").out == "shop_key\n"
    done = run("stack", "secrets", "shp")
    assert done.code == 0
    assert "nothing found in stack: shp" in done.err
    assert "shop" in done.err


def test_inspection_shows_everything_but_the_content(run: Run, shop: FakeCluster) -> None:
    done = run("secret", "inspect", "shop_key")
    (shown,) = json.loads(done.out)
    assert (shown["name"], shown["number"], shown["is_current"]) == ("shop_key", 1, True)
    assert "content" not in shown
    assert "hush" not in done.out
    missing = run("secret", "inspect", "shop_kee")
    assert missing.code == 1
    assert "no such secret: shop_kee" in missing.err
