# SPDX-License-Identifier: Apache-2.0
"""Replays a recorded answer, without a network, by both sides in turn; prints a line of JSON.

    replay.py FRAMES ROUNDS

Each round decodes the answer four times: to what the package has of an event before its class is looked at (the text
of an answer, the JSON of others), to its objects, and by botocore to dictionaries and to objects of pydantic.
"""
from __future__ import annotations

import json
import sys
import time
from typing import Any, Callable, Iterator

from amazon_q_streaming_client import _ffi as ffi
from amazon_q_streaming_client._native import Client, Exchange
from amazon_q_streaming_client._operations import parse_messages
from botocore.eventstream import EventStreamBuffer

import answer
import peers
from client import text_of

CHUNK = 16 * 1024  # bytes, as a socket gives them
HEADERS = [(b"content-type", b"application/vnd.amazon.eventstream")]

Found = tuple[int, int]  # events, characters of text; 0 where text was not looked for


def chunks(stream: bytes) -> list[bytes]:
    return [stream[at:at + CHUNK] for at in range(0, len(stream), CHUNK)]


def messages(client: Client, pieces: list[bytes]) -> Iterator[list[Any]]:
    exchange = Exchange(client, ffi.CALL_GENERATE_ASSISTANT_RESPONSE, access_token="t", body=b"{}")
    exchange.drain()
    exchange.request()
    exchange.response(200, HEADERS)
    for piece in pieces:
        exchange.feed(piece)
        status = ffi.OK
        while status == ffi.OK:
            status, batch = exchange.drain()
            while batch and batch[0][0] < 0:  # that there is an answer
                del batch[0]
            yield batch
    exchange.finish()
    exchange.close()


def sdk_tuples(client: Client, pieces: list[bytes]) -> Found:
    return sum(map(len, messages(client, pieces))), 0


def sdk_objects(client: Client, pieces: list[bytes]) -> Found:
    events = text = 0
    for batch in messages(client, pieces):
        for event in parse_messages(batch):
            events += 1
            text += len(text_of(event))
    return events, text


def peer_dicts(_client: Client, pieces: list[bytes]) -> Found:
    buffer, events = EventStreamBuffer(), 0
    for piece in pieces:
        buffer.add_data(piece)
        for event in buffer:
            json.loads(event.payload)
            events += 1
    return events, 0


def peer_objects(_client: Client, pieces: list[bytes]) -> Found:
    buffer, events, text = EventStreamBuffer(), 0, 0
    for piece in pieces:
        for event in peers.events(buffer, piece):
            events += 1
            text += len(text_of(event))
    return events, text


SIDES: dict[str, Callable[[Client, list[bytes]], Found]] = {
    "sdk tuples": sdk_tuples,
    "sdk objects": sdk_objects,
    "botocore and json": peer_dicts,
    "botocore and pydantic": peer_objects,
}


def main() -> None:
    frames, rounds = int(sys.argv[1]), int(sys.argv[2])
    chat = answer.chat(frames)
    pieces, client = chunks(bytes(chat.stream)), Client({"endpoint": "http://127.0.0.1:1"})
    times: dict[str, list[float]] = {name: [] for name in SIDES}
    texts = set()
    for _ in range(rounds + 1):  # the first one warms up
        for name, decode in SIDES.items():
            begin = time.perf_counter()
            events, text = decode(client, pieces)
            times[name].append((time.perf_counter() - begin) / frames * 1e9)
            if text:
                texts.add(text)
            if events != frames or len(texts) > 1:
                sys.exit(f"{name}: found {events} events, texts of {texts} characters")
    client.close()
    print(json.dumps({name: ns[1:] for name, ns in times.items()}))


if __name__ == "__main__":
    main()
