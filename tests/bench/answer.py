# SPDX-License-Identifier: Apache-2.0
"""Answers to decode: the same bytes in every run, and what a decoder must find in them."""
import json
import random
import struct
import zlib
from typing import NamedTuple

WORDS = ("the of to and a in is it you that for on with as this be are by or an from at not your "
         "function returns value error string buffer array index loop call memory file path "
         "request response stream token event header payload decode parse bucket policy role "
         "`async` `await` **Note** can use need should first then next because however").split()
SPICE = ["\n", "\n\n", "\n```python\n", "\"quoted\"", "C:\\temp\\x", "\tindent", "caf\u00e9",
         "\u65e5\u672c\u8a9e", "\u2014", "\U0001f680", "{\"k\": 1}"]
EVENTS_PER_TURN = 100
TOOL_EVENTS = 7  # of a turn


class Found(NamedTuple):
    """What is in an answer; text is the decoded bytes of content and input."""
    frames: int
    headers: int
    payload: int
    text: int


def header(name, value):
    return bytes([len(name)]) + name + b"\7" + struct.pack(">H", len(value)) + value


class Answer:
    def __init__(self):
        self.stream = bytearray()
        self.found = Found(0, 0, 0, 0)

    def add(self, event, payload, text=""):
        body = payload if isinstance(payload, bytes) else json.dumps(
            payload, separators=(",", ":"), ensure_ascii=False).encode()
        headers = (header(b":event-type", event.encode())
                   + header(b":content-type", b"application/json")
                   + header(b":message-type", b"event"))
        prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
        frame = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
        self.stream += frame + struct.pack(">I", zlib.crc32(frame))
        frames, header_count, payload_len, text_len = self.found
        self.found = Found(frames + 1, header_count + 3, payload_len + len(body),
                           text_len + len(text.encode()))


def chat(frames):
    """A streamed answer: a few words an event, here and there something to escape, some tools."""
    answer, random_ = Answer(), random.Random(20)

    def word():
        return random_.choice(SPICE) if random_.random() < 0.06 else random_.choice(WORDS) + " "

    for i in range(frames):
        place = i % EVENTS_PER_TURN
        text = "".join(word() for _ in range(random_.randint(1, 6)))
        if place == 0:
            conversation = f"{random_.getrandbits(128):032x}"
            answer.add("messageMetadataEvent", {"conversationId": conversation})
        elif place == EVENTS_PER_TURN - 1:
            usage = {"uncachedInputTokens": i, "outputTokens": i, "totalTokens": 2 * i}
            answer.add("metadataEvent", {"tokenUsage": usage})
        elif place >= EVENTS_PER_TURN - 1 - TOOL_EVENTS:
            tool = {"toolUseId": "tooluse_h3XkQm2bT0eWnqGd4YvLrA", "name": "fs_write"}
            answer.add("toolUseEvent", tool | {"input": text}, text)
        elif random_.random() < 0.1:
            model = {"modelId": "CLAUDE_SONNET_4_V1_0"}
            answer.add("assistantResponseEvent", {"content": text} | model, text)
        else:
            answer.add("assistantResponseEvent", {"content": text}, text)
    return answer


def large(size):
    """One frame with a payload of so many bytes."""
    answer = Answer()
    answer.add("binaryPayloadEvent", bytes(size))
    return answer
