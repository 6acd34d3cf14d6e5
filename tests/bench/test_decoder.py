# SPDX-License-Identifier: Apache-2.0
"""Decoders are only timed against each other when all of them find the same."""
import os
import pathlib
import sys

import answer
import decoder
import pytest
from decoder import Decoder

DECODE = pathlib.Path(os.environ["AQ_BUILD_DIR"], "tests/decode")
CHAT = answer.chat(300)


@pytest.fixture(autouse=True)
def one_pass(monkeypatch):
    """What is found is the same in one pass as in many."""
    monkeypatch.setattr(decoder, "LONG_NS", 0)


def race(folder, *decoders, answered=CHAT, chunk=16384, rounds=2):
    path = folder / "answer"
    path.write_bytes(answered.stream)
    return decoder.race(decoders, answered, path, chunk, rounds)


def impostor(says):
    """A decoder that says this, whatever it is asked."""
    return Decoder("impostor", sys.executable, "-c",
                   f"import sys\nfor _ in sys.stdin: print({says!r}, flush=True)")


@pytest.mark.parametrize("chunk", [1, 1400, 16384])
def test_our_decoder_finds_every_frame_header_byte_and_text_of_an_answer(tmp_path, chunk):
    times = race(tmp_path, Decoder("frames", DECODE, "libamazonq"),
                 Decoder("text", DECODE, "libamazonq-text"), chunk=chunk)
    assert len(times.ns["frames"]) == len(times.ns["text"]) == 2
    assert times.ratio("frames", "frames") == 1


def test_our_decoder_finds_a_frame_of_8_mib_in_pieces(tmp_path):
    race(tmp_path, Decoder("ours", DECODE, "libamazonq"), answered=answer.large(8 << 20),
         chunk=1400)


def test_a_decoder_that_finds_too_little_ends_the_run(tmp_path):
    found = CHAT.found
    race(tmp_path, impostor(f"{found.frames} {found.headers} {found.payload} {found.text} 5.0"))
    for wrong in (f"{found.frames - 1} {found.headers} {found.payload} -",
                  f"{found.frames} {found.headers + 1} {found.payload} -",
                  f"{found.frames} {found.headers} {found.payload - 1} -",
                  f"{found.frames} {found.headers} {found.payload} {found.text - 1}"):
        with pytest.raises(decoder.Wrong, match="impostor: found"):
            race(tmp_path, impostor(f"{wrong} 5.0"))


def test_a_decoder_that_ends_early_ends_the_run(tmp_path):
    with pytest.raises(decoder.Wrong, match="nothing"):
        race(tmp_path, Decoder("ours", DECODE, "libamazonq-library"))
    broken = answer.chat(300)
    broken.stream[-1] ^= 1
    with pytest.raises(decoder.Wrong, match="nothing"):
        race(tmp_path, Decoder("ours", DECODE, "libamazonq"), answered=broken)


def test_an_answer_is_the_same_in_every_run():
    assert answer.chat(300).stream == CHAT.stream
    assert CHAT.found.frames == 300 and CHAT.found.headers == 900
