"""Answers in HTTP, whole and broken, as engines and managers send them."""

import io

import pytest

from stackctl.wire import http_message
from stackctl.wire.http_message import BrokenOff, NotHttp

OK = b"HTTP/1.1 200 OK\r\n"


def read(text: bytes) -> tuple[int, bytes]:
    stream = io.BufferedReader(io.BytesIO(text))
    status, headers = http_message.read_head(stream)
    return status, b"".join(http_message.body_pieces(headers, stream))


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 5\r\n\r\nhello and more",
        b"transfer-encoding: CHUNKED\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: x\r\n\r\nmore",
        b"\r\nhello",
    ],
)
def test_a_body_is_a_length_chunks_or_all_until_the_end(rest: bytes) -> None:
    assert read(OK + rest) == (200, b"hello")


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (b"", BrokenOff, "ended without an answer"),
        (OK[:7], BrokenOff, "in the middle of a line"),
        (b"SSH-2.0-OpenSSH\r\n", NotHttp, "not HTTP"),
        (OK + b"".join(b"h%d: x\r\n" % i for i in range(102)), NotHttp, "headers"),
        (OK + b"Content-Length: 5\r\n\r\nhell", BrokenOff, "in the middle of the answer"),
        (OK + b"Content-Length: many\r\n\r\n", NotHttp, "'many' is no length"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", BrokenOff, "in the middle"),
    ],
)
def test_what_is_no_whole_answer_is_told_apart(text: bytes, kind: type, words: str) -> None:
    with pytest.raises(kind, match=words):
        read(text)
