# SPDX-License-Identifier: Apache-2.0
"""The encoder and the decoder, against the vectors of docs/protocol.md, section 5."""

import uuid

import pytest
from qservice import eventstream

BARE = bytes.fromhex("0000001d00000000fd528c5a" + b"{'foo':'bar'}".hex() + "c3653936")


def test_a_frame_without_headers_has_the_bytes_of_the_published_vector():
    assert eventstream.encode([], b"{'foo':'bar'}") == BARE


def test_a_frame_with_a_header_has_the_checksums_of_the_published_vector():
    frame = eventstream.encode([("content-type", "application/json")], b"{'foo':'bar'}")
    assert frame[:12].hex() == "0000003d0000002007fd8396"
    assert frame[-4:].hex() == "8d9c08b1"


def test_what_is_encoded_is_decoded_again():
    values = [
        ("t", True),
        ("f", False),
        ("i", -7),
        ("b", b"\0\1"),
        ("s", "\u00e9"),
        ("u", uuid.UUID(int=5)),
    ]
    frames = eventstream.encode(values, b"one") + eventstream.encode([], b"")
    assert eventstream.decode(frames) == [(dict(values), b"one"), ({}, b"")]


@pytest.mark.parametrize("length", range(1, len(BARE)))
def test_a_frame_cut_anywhere_is_refused(length):
    with pytest.raises(ValueError, match="cut inside"):
        eventstream.decode(BARE[:length])


@pytest.mark.parametrize("position", range(len(BARE)))
def test_any_changed_byte_is_noticed(position):
    changed = bytearray(BARE)
    changed[position] ^= 1
    with pytest.raises(ValueError, match="checksum differs"):
        eventstream.decode(bytes(changed))


def test_each_spoilt_checksum_is_the_one_that_was_meant():
    with pytest.raises(ValueError, match="message checksum"):
        eventstream.decode(eventstream.with_bad_checksum(BARE))
    with pytest.raises(ValueError, match="prelude checksum"):
        eventstream.decode(eventstream.with_bad_prelude_checksum(BARE))
