"""The grammar of constraints and what they compare."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.model import constraints, objects
from stackctl.model.objects import NodeRole

NODE = objects.Node(
    id="abc123",
    role=NodeRole.WORKER,
    labels={"zone": "South", "Zone": "north"},
    description=objects.NodeDescription(
        hostname="Worker1",
        nano_cpus=1,
        memory_bytes=1,
        arch="x86_64",
        engine_labels={"disk": "ssd"},
        data_address="10.1.2.3",
    ),
)


@pytest.mark.parametrize(
    ("text", "is_met"),
    [
        ("node.hostname==worker1", True),
        ("node.hostname == WORKER1", True),
        ("node.hostname==worker", False),
        ("node.hostname!=worker2", True),
        ("node.id==ABC123", True),
        ("node.role==worker", True),
        ("node.role!=worker", False),
        ("node.platform.os==linux", True),
        ("node.platform.arch==x86_64", True),
        ("node.platform.arch==amd64", True),
        ("node.platform.arch==arm64", False),
        ("node.labels.zone==south", True),
        ("node.labels.Zone==south", False),
        ("node.labels.none==", None),
        ("node.labels.none==x", False),
        ("node.labels.none!=x", True),
        ("engine.labels.disk==SSD", True),
        ("node.ip==10.1.2.3", True),
        ("node.ip==10.1.0.0/16", True),
        ("node.ip==10.2.0.0/16", False),
        ("node.ip!=10.2.0.0/16", True),
        ("node.ip==nonsense", False),
        ("node.hostname in (worker2, WORKER1)", True),
        ("node.hostname not in (worker2,worker1)", False),
        (" node.role  IN(manager , worker) ", True),
        ("node.labels.none in (x, y)", False),
        ("node.labels.none not in (x, y)", True),
        ("node.ip in (10.2.0.0/16, 10.1.2.3)", True),
        ("node.ip not in (10.2.0.0/16, fd00::/8)", True),
        ("node.platform.arch in (arm64, amd64)", True),
        ("node.labels.zone Not In (north)", True),
    ],
)
def test_a_constraint_compares_whole_values_without_case(text: str, is_met: bool | None) -> None:
    if is_met is None:
        with pytest.raises(ValueError, match="value '' is invalid"):
            constraints.parse(text)
    else:
        assert constraints.is_met(constraints.parse(text), NODE) is is_met


def test_globs_are_letters_like_others() -> None:
    assert not constraints.is_met(constraints.parse("node.hostname==worker*"), NODE)


def test_a_node_without_an_address_has_no_ip() -> None:
    bare = objects.Node(
        id="x",
        role=NodeRole.WORKER,
        description=objects.NodeDescription(hostname="h", nano_cpus=1, memory_bytes=1),
    )
    assert not constraints.is_met(constraints.parse("node.ip==10.0.0.0/8"), bare)
    assert constraints.is_met(constraints.parse("node.ip!=10.0.0.0/8"), bare)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs one of the operators"),
        ("node.role", "needs one of the operators"),
        ("node.role=worker", "needs one of the operators"),
        ("==worker", "key '' is invalid"),
        ("n==x", "key 'n' is invalid"),
        ("1node==x", "key '1node' is invalid"),
        ("node role==x", "key 'node role' is invalid"),
        ("node.role==wörker", "value 'wörker' is invalid"),
        ("node.colour==blue", "no node has 'node.colour'"),
        ("node.role==a==b", "value 'a==b' is invalid"),
        ("node.role in ()", "value '' is invalid"),
        ("node.role in (worker,)", "value '' is invalid"),
        ("node.role in worker", "needs one of the operators"),
        ("node.colour in (blue)", "no node has 'node.colour'"),
    ],
)
def test_a_constraint_that_cannot_be_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        constraints.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_a_constraint_or_a_value_error(text: str) -> None:
    try:
        parsed = constraints.parse(text)
    except ValueError:
        return
    assert constraints.is_met(parsed, NODE) != constraints.is_met(
        constraints.Constraint(key=parsed.key, is_equal=not parsed.is_equal, values=parsed.values),
        NODE,
    )


@given(
    key=st.sampled_from([*constraints.KEYS, "node.labels.a-b_c.D", "engine.labels.x"]),
    operator=st.sampled_from(["==", "!="]),
    value=st.text("abcXYZ019:-_.*()?+[]\\^$|/", min_size=1, max_size=12),
    blanks=st.sampled_from(["", " ", "  "]),
)
def test_every_legal_constraint_is_read_as_written(
    key: str, operator: str, value: str, blanks: str
) -> None:
    parsed = constraints.parse(f"{blanks}{key}{blanks}{operator}{blanks}{value}{blanks}")
    assert (parsed.key, parsed.is_equal, parsed.values) == (key, operator == "==", (value,))
