# SPDX-License-Identifier: Apache-2.0
"""The answer that every paced stream gets: a turn of a chat, over and over.

Nine of ten events are a few words of the answer, the others what a chat has besides. In the shape "plain" words
come as {"content": ...} alone, in "model" with the model's name in each event, as today's service sends them.
Words end in a stamp: the time of the server's write, which the client on the same machine compares with its own.
"""
import random
import struct
import zlib
from typing import NamedTuple

from answer import Answer, WORDS

TURN = 50  # events
STAMP = 20  # digits of a time.monotonic_ns()
MODEL = "CLAUDE_SONNET_4_20250514_V1_0"
BLANK = "0" * STAMP


class Frame(NamedTuple):
    """One event on the wire; with a stamp, it is before + stamp + after + checksum."""
    before: bytes
    after: bytes
    checksum: int  # of before

    def at(self, now_ns):
        if not self.after:
            return self.before
        tail = b"%0*d%s" % (STAMP, now_ns, self.after)
        return self.before + tail + struct.pack(">I", zlib.crc32(tail, self.checksum))


def _frame(event, payload):
    answer = Answer()
    answer.add(event, payload)
    raw = bytes(answer.stream)
    at = raw.find(BLANK.encode())
    if at < 0:
        return Frame(raw, b"", 0)
    return Frame(raw[:at], raw[at + STAMP:-4], zlib.crc32(raw[:at]))


def turn(shape):
    """[(frame, length of its text in bytes)]"""
    choose, frames = random.Random(7), []
    for i in range(TURN):
        text = "".join(choose.choice(WORDS) + " " for _ in range(choose.randint(1, 6)))
        if i % 10 != 9:
            payload = {"content": text + BLANK}
            if shape == "model":
                payload["modelId"] = MODEL
            frames.append((_frame("assistantResponseEvent", payload), len(text) + STAMP))
        elif i != TURN - 1:
            tool = {"toolUseId": "tooluse_h3XkQm2bT0eWnqGd4YvLrA", "name": "fs_write"}
            frames.append((_frame("toolUseEvent", tool | {"input": text}), len(text)))
        else:
            usage = {"tokenUsage": {"uncachedInputTokens": 1200, "outputTokens": 340,
                                    "totalTokens": 1540}}
            frames.append((_frame("metadataEvent", usage), 0))
    return frames


def text_len(shape, events):
    """Bytes of text in a stream of so many events."""
    lengths = [length for _, length in turn(shape)]
    whole, rest = divmod(events, len(lengths))
    return whole * sum(lengths) + sum(lengths[:rest])
