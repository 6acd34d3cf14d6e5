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
from amazon_q_streaming_client._operations import parse_message
from botocore.eventstream import EventStreamBuffer

import answer
import peers
from client import text_of

CHUNK = 16 * 1024  # bytes, as a socket gives them
HEADERS = [(b"content-type", b"application/vnd.amazon.eventstream")]

Batches = Iterator[list[Any]]  # events, as far as this side takes them


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


def sdk_objects(client: Client, pieces: list[bytes]) -> Batches:
    for batch in messages(client, pieces):
        yield list(map(parse_message, batch))


def peer_dicts(_client: Client, pieces: list[bytes]) -> Batches:
    buffer = EventStreamBuffer()
    for piece in pieces:
        buffer.add_data(piece)
        yield [json.loads(event.payload) for event in buffer]


def peer_objects(_client: Client, pieces: list[bytes]) -> Batches:
    buffer = EventStreamBuffer()
    for piece in pieces:
        yield peers.events(buffer, piece)


SIDES: dict[str, Callable[[Client, list[bytes]], Batches]] = {
    "sdk tuples": messages,
    "sdk objects": sdk_objects,
    "botocore and json": peer_dicts,
    "botocore and pydantic": peer_objects,
}
OBJECTS = ("sdk objects", "botocore and pydantic")


def main() -> None:
    frames, rounds = int(sys.argv[1]), int(sys.argv[2])
    chat = answer.chat(frames)
    pieces, client = chunks(bytes(chat.stream)), Client({"endpoint": "http://127.0.0.1:1"})
    times: dict[str, list[float]] = {name: [] for name in SIDES}
    texts = {"".join(text_of(event) for batch in SIDES[name](client, pieces) for event in batch)
             for name in OBJECTS}
    if len(texts) > 1:
        sys.exit("the texts of the two sides differ")
    for _ in range(rounds + 1):  # the first one warms up
        for name, decode in SIDES.items():
            begin = time.perf_counter()
            found = sum(map(len, decode(client, pieces)))
            times[name].append((time.perf_counter() - begin) / frames * 1e9)
            if found != frames:
                sys.exit(f"{name}: found {found} events, not {frames}")
    client.close()
    print(json.dumps({name: ns[1:] for name, ns in times.items()}))


if __name__ == "__main__":
    main()
