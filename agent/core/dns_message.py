"""DNS messages on the wire, as far as a node's server needs them: one question, A and PTR answers.

Written by hand because the server's throughput is its codec's: names stay in wire form (lower
case) from the datagram to the table, and an answer is a few joined pieces. Reading never raises:
what cannot be read is None, and `render_error` still finds the identifier to answer with.

Terms: a *wire name* is a name as a sequence of length-prefixed labels, ending in a zero byte.
"""

import functools
import struct
from collections.abc import Sequence

import msgspec

A = 1
PTR = 12
ANY = 255
INTERNET = 1

NO_ERROR = 0
FORMAT_ERROR = 1
SERVER_FAILURE = 2
NAME_ERROR = 3
NOT_IMPLEMENTED = 4
REFUSED = 5

UDP_SIZE_WITHOUT_EDNS = 512
UDP_SIZE_MAX = 1232  # fits into every link without fragments
HEADER_SIZE = 12

_HEADER = struct.Struct("!HHHHHH")
_QUESTION_TAIL = struct.Struct("!HH")
_RECORD_TAIL = struct.Struct("!HHIH")
_RECORD_HEAD = struct.Struct("!HHHIH")  # a pointer to the question's name, and the fixed fields
_NAME_OF_QUESTION = 0xC00C
_EDNS = 41
_NAME_MAX = 255
_LABEL_MAX = 63

_RESPONSE = 0x8000
_OPCODE = 0x7800
_AUTHORITATIVE = 0x0400
_TRUNCATED = 0x0200
_RECURSION_DESIRED = 0x0100
_RECURSION_AVAILABLE = 0x0080

_EDNS_RECORD = b"\x00" + _RECORD_TAIL.pack(_EDNS, UDP_SIZE_MAX, 0, 0)
_ARPA = b"\x07in-addr\x04arpa\x00"


class Query(msgspec.Struct, frozen=True, gc=False):
    """A question that can be answered or forwarded."""

    id: int
    flags: int
    name: bytes  # wire name, lower case
    kind: int
    question: bytes  # as it was sent: its case is given back
    udp_size: int  # how much the client takes by UDP
    has_edns: bool


def parse_query(message: bytes) -> Query | None:
    """The question of a message; None for what is no standard query with exactly one question in
    class IN."""
    if len(message) < HEADER_SIZE:
        return None
    query_id, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(message)
    if flags & (_RESPONSE | _OPCODE) or questions != 1 or answers or authorities:
        return None
    name_end = _name_end(message, HEADER_SIZE)
    if name_end is None or len(message) < name_end + 4:
        return None
    kind, network_class = _QUESTION_TAIL.unpack_from(message, name_end)
    if network_class != INTERNET:
        return None
    udp_size = _edns_size(message, name_end + 4) if additionals else 0
    return Query(
        id=query_id,
        flags=flags,
        name=message[HEADER_SIZE:name_end].lower(),
        kind=kind,
        question=message[HEADER_SIZE : name_end + 4],
        udp_size=min(max(udp_size, UDP_SIZE_WITHOUT_EDNS), UDP_SIZE_MAX),
        has_edns=udp_size > 0,
    )


def render_addresses(
    query: Query, addresses: Sequence[bytes], *, ttl_seconds: int, size_max: int
) -> bytes:
    """An answer with A records, in an order that the query's own id turns, so that clients which
    take the first spread over all. What does not fit into `size_max` is left out and the answer
    marked as cut."""
    head_size = HEADER_SIZE + len(query.question) + (len(_EDNS_RECORD) if query.has_edns else 0)
    fitting = max((size_max - head_size) // (_RECORD_HEAD.size + 4), 0)
    first = query.id % len(addresses) if addresses else 0
    chosen = (*addresses[first:], *addresses[:first])[:fitting]
    record = _RECORD_HEAD.pack(_NAME_OF_QUESTION, A, INTERNET, ttl_seconds, 4)
    return _render(
        query,
        [record + address for address in chosen],
        flags=_TRUNCATED if len(chosen) < len(addresses) else 0,
    )


def render_pointer(query: Query, name: bytes, *, ttl_seconds: int) -> bytes:
    """An answer with one PTR record."""
    record = _RECORD_HEAD.pack(_NAME_OF_QUESTION, PTR, INTERNET, ttl_seconds, len(name))
    return _render(query, [record + name])


def render_empty(query: Query, code: int = NO_ERROR) -> bytes:
    """An answer without records: the name has none of that kind, or there is an error."""
    return _render(query, [], flags=code)


def render_error(message: bytes, code: int) -> bytes | None:
    """An error for a message that could not be read; None when it was itself an answer, or too
    short, which must not be answered at all."""
    if len(message) < HEADER_SIZE:
        return None
    query_id, flags = struct.unpack_from("!HH", message)
    if flags & _RESPONSE:
        return None
    kept = flags & (_OPCODE | _RECURSION_DESIRED)
    return _HEADER.pack(query_id, _RESPONSE | kept | code, 0, 0, 0, 0)


def unreadable_code(message: bytes) -> int:
    """Which error tells the sender why `parse_query` gave None."""
    flags = int.from_bytes(message[2:4], "big")
    if flags & _OPCODE:
        return NOT_IMPLEMENTED
    name_end = _name_end(message, HEADER_SIZE)
    is_whole = name_end is not None and len(message) >= name_end + 4
    return REFUSED if is_whole else FORMAT_ERROR


def with_id(message: bytes, query_id: int) -> bytes:
    """The same message under another identifier."""
    return query_id.to_bytes(2, "big") + message[2:]


def answers_question(message: bytes, *, query_id: int, question: bytes) -> bool:
    """Whether this is the answer to that question, and not somebody's guess."""
    if len(message) < HEADER_SIZE:
        return False
    found_id, flags, questions = struct.unpack_from("!HHH", message)
    if found_id != query_id or not flags & _RESPONSE:
        return False
    # A server that could not read the question may leave it out of its error.
    if questions == 0:
        return bool(flags & 0x000F)
    echoed = message[HEADER_SIZE : HEADER_SIZE + len(question)]
    return questions == 1 and echoed.lower() == question.lower()


def response_code(message: bytes) -> int:
    """The response code of an answer (without the extension that EDNS could give it)."""
    return message[3] & 0x0F


@functools.lru_cache(maxsize=1 << 14)
def wire_name(name: str) -> bytes | None:
    """The wire form of a dotted name, lower case; None for what no DNS name can be."""
    try:
        labels = name.lower().rstrip(".").encode("ascii").split(b".")
    except UnicodeEncodeError:
        return None
    if any(not 0 < len(label) <= _LABEL_MAX for label in labels):
        return None
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\x00"
    return wire if len(wire) <= _NAME_MAX else None


def reverse_name(address: bytes) -> bytes:
    """The wire name under which a PTR question asks for an IPv4 address."""
    labels = [str(byte).encode() for byte in reversed(address)]
    return b"".join(bytes((len(label),)) + label for label in labels) + _ARPA


def has_one_label(name: bytes) -> bool:
    """Whether a wire name is a bare word, as service names are and foreign names are not."""
    return len(name) > 1 and name[0] == len(name) - 2


def _render(query: Query, records: Sequence[bytes], *, flags: int = 0) -> bytes:
    kept = query.flags & _RECURSION_DESIRED
    own = _RESPONSE | _AUTHORITATIVE | _RECURSION_AVAILABLE
    header = _HEADER.pack(query.id, own | kept | flags, 1, len(records), 0, query.has_edns)
    tail = _EDNS_RECORD if query.has_edns else b""
    return b"".join((header, query.question, *records, tail))


def _name_end(message: bytes, start: int) -> int | None:
    """Where the name that starts there ends; None when it is cut, too long or compressed (a
    question has nothing before it that it could point to)."""
    position = start
    size = len(message)
    while position < size and position - start < _NAME_MAX:
        length = message[position]
        position += 1
        if length == 0:
            return position
        if length > _LABEL_MAX:
            return None
        position += length
    return None


def _edns_size(message: bytes, start: int) -> int:
    """The payload size of an OPT record that stands first among the additional ones, else 0."""
    if message[start : start + 1] != b"\x00" or len(message) < start + 1 + _RECORD_TAIL.size:
        return 0
    kind, size, _flags, _length = _RECORD_TAIL.unpack_from(message, start + 1)
    return max(int(size), 1) if kind == _EDNS else 0
