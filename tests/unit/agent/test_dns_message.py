"""The DNS codec against dnspython as oracle, and against noise."""

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.reversename
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import dns_message

LABELS = st.text("AZazmM09_-", min_size=1, max_size=63)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join).filter(lambda name: len(name) < 250)
ADDRESSES = st.lists(st.binary(min_size=4, max_size=4), max_size=200)


def asked(name: str, kind: str = "A", *, edns_size: int = 0) -> bytes:
    query = dns.message.make_query(name, kind)
    if edns_size:
        query.use_edns(0, payload=edns_size)
    return query.to_wire()


def read(name: str, kind: str = "A", *, edns_size: int = 0) -> dns_message.Query:
    query = dns_message.parse_query(asked(name, kind, edns_size=edns_size))
    assert query is not None
    return query


@given(name=NAMES, kind=st.sampled_from(["A", "AAAA", "PTR", "TXT", "ANY"]))
def test_a_question_is_read_as_the_oracle_wrote_it(name: str, kind: str) -> None:
    message = dns.message.make_query(name, kind)
    query = dns_message.parse_query(message.to_wire())
    assert query is not None
    assert query.id == message.id
    assert query.kind == dns.rdatatype.from_text(kind)
    assert query.name == dns.name.from_text(name.lower()).to_wire()
    assert query.name == dns_message.wire_name(name)


@given(name=NAMES, addresses=ADDRESSES, edns_size=st.sampled_from([0, 512, 800, 1232, 4096]))
def test_an_answer_is_read_by_the_oracle_and_fits(
    name: str, addresses: list[bytes], edns_size: int
) -> None:
    message = asked(name, edns_size=edns_size)
    query = dns_message.parse_query(message)
    assert query is not None
    addresses = list(dict.fromkeys(addresses))
    wire = dns_message.render_addresses(query, addresses, ttl_seconds=3, size_max=query.udp_size)
    assert len(wire) <= max(512, min(edns_size, 1232))
    answer = dns.message.from_wire(wire)
    assert dns.message.from_wire(message).is_response(answer)
    found = {record.to_text() for rrset in answer.answer for record in rrset}
    wanted = {".".join(map(str, address)) for address in addresses}
    is_cut = bool(answer.flags & dns.flags.TC)
    assert found <= wanted
    assert is_cut == (found != wanted)
    assert (answer.edns == 0) == bool(edns_size)
    assert all(rrset.ttl == 3 for rrset in answer.answer)


def test_the_case_of_the_question_is_given_back() -> None:
    wire = dns_message.render_addresses(
        read("WeB"), [b"\x0a\x00\x00\x01"], ttl_seconds=3, size_max=512
    )
    assert dns.message.from_wire(wire).question[0].name.to_text() == "WeB."


def test_different_questions_begin_with_different_addresses() -> None:
    addresses = [bytes((10, 0, 0, last)) for last in range(4)]
    firsts = set()
    for query_id in range(4):
        query = dns_message.parse_query(dns_message.with_id(asked("web"), query_id))
        assert query is not None
        wire = dns_message.render_addresses(query, addresses, ttl_seconds=3, size_max=512)
        firsts.add(dns.message.from_wire(wire, one_rr_per_rrset=True).answer[0][0].to_text())
    assert len(firsts) == 4


def test_a_reverse_name_and_its_answer_are_the_oracles() -> None:
    reverse = dns.reversename.from_address("10.77.1.11")
    assert dns_message.reverse_name(bytes((10, 77, 1, 11))) == reverse.to_wire()
    pointed = dns_message.wire_name("shop_web.1.shop_front")
    assert pointed is not None
    wire = dns_message.render_pointer(read(reverse.to_text(), "PTR"), pointed, ttl_seconds=3)
    assert dns.message.from_wire(wire).answer[0][0].to_text() == "shop_web.1.shop_front."


@pytest.mark.parametrize("code", [0, 2, 3])
def test_an_empty_answer_tells_its_code(code: int) -> None:
    answer = dns.message.from_wire(dns_message.render_empty(read("web", edns_size=1232), code))
    assert (answer.rcode(), answer.answer) == (code, [])


@given(st.binary(max_size=600))
def test_noise_never_raises(message: bytes) -> None:
    query = dns_message.parse_query(message)
    if query is None:
        error = dns_message.render_error(message, dns_message.unreadable_code(message))
        assert error is None or dns.message.from_wire(error).rcode() in (1, 4, 5)
        return
    assert dns.message.from_wire(dns_message.render_empty(query)).id == query.id


@given(
    name=NAMES,
    cuts=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=6),
    length=st.integers(0, 120),
)
def test_damaged_questions_never_raise(name: str, cuts: list[tuple[int, int]], length: int) -> None:
    message = bytearray(asked(name, edns_size=1232))
    for position, value in cuts:
        if position < len(message):
            message[position] = value
    cut = bytes(message[:length])
    for damaged in (bytes(message), cut):
        query = dns_message.parse_query(damaged)
        if query is not None:
            dns_message.render_addresses(query, [b"1234"] * 50, ttl_seconds=3, size_max=512)
        dns_message.render_error(damaged, dns_message.unreadable_code(damaged))
        dns_message.answers_question(damaged, query_id=1, question=b"\x00\x00\x01\x00\x01")


def test_what_cannot_be_answered_is_told_apart() -> None:
    notify = dns.message.make_query("web", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    chaos = dns.message.make_query("version.bind", "TXT", "CH")
    response = dns.message.make_response(dns.message.make_query("web", "A"))
    assert dns_message.unreadable_code(notify.to_wire()) == dns_message.NOT_IMPLEMENTED
    assert dns_message.unreadable_code(chaos.to_wire()) == dns_message.REFUSED
    assert dns_message.unreadable_code(asked("web")[:-3]) == dns_message.FORMAT_ERROR
    assert dns_message.render_error(response.to_wire(), dns_message.FORMAT_ERROR) is None
    assert dns_message.render_error(b"short", dns_message.FORMAT_ERROR) is None


def test_an_answer_is_only_taken_for_its_own_question() -> None:
    message = dns.message.make_query("Example.com", "A")
    query = dns_message.parse_query(message.to_wire())
    assert query is not None
    answer = dns.message.make_response(message).to_wire()
    other = dns.message.make_response(dns.message.make_query("evil.com", "A", id=message.id))

    def fits(wire: bytes, query_id: int = message.id) -> bool:
        return dns_message.answers_question(wire, query_id=query_id, question=query.question)

    assert fits(answer)
    assert not fits(answer, message.id ^ 1)
    assert not fits(other.to_wire())
    assert not fits(message.to_wire())
    assert not fits(b"")
    failed = dns.message.make_response(message)
    failed.question = []
    failed.set_rcode(dns.rcode.SERVFAIL)
    assert fits(failed.to_wire())


@pytest.mark.parametrize("name", ["", ".", "a..b", "a" * 64, ".".join(["a" * 63] * 5), "bücher"])
def test_what_is_no_name_has_no_wire_form(name: str) -> None:
    assert dns_message.wire_name(name) is None


def test_a_bare_word_is_told_from_a_name_with_dots() -> None:
    assert dns_message.has_one_label(dns_message.wire_name("web") or b"")
    assert not dns_message.has_one_label(dns_message.wire_name("web.example") or b"")
    assert not dns_message.has_one_label(b"\x00")
