# SPDX-License-Identifier: Apache-2.0
"""One client in a process of its own, measured from inside; prints a line of JSON.

    client.py sdk|sdk-h2|httpx|aiohttp URL paced|latency STREAMS EVENTS RATE SHAPE
    client.py sdk|sdk-h2|httpx|aiohttp URL first REQUESTS
    client.py sdk|sdk-h2|httpx|aiohttp URL memory STREAMS

paced    CPU time for each event, from when every stream has had its first one
latency  the same, and microseconds from the server's write to the body of `async for`, from then on
first    microseconds from the call to the first event, on a connection that is used again
memory   bytes that each of STREAMS idle streams adds, after as many others
"""
from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from typing import Any, AsyncIterator

from corpus import STAMP


SETTINGS = {f"transport.{name}.max_connections": "2000" for name in ("curl", "h2")}  # as many as the others open


def native_client(url: str, transport: str = "curl") -> Any:
    import amazon_q_streaming_client as q

    class Native:
        def __init__(self) -> None:
            self.client = q.QStreamingClient(
                "token", base_url=url, timeout=None, transport=transport, settings=SETTINGS)
            self.aclose = self.client.aclose
            self.ask = self.client.generate_assistant_response

    return Native()


def make_client(name: str, url: str) -> Any:
    if name == "sdk":
        return native_client(url)
    if name == "sdk-h2":
        return native_client(url, "h2")
    import peers

    return {"httpx": peers.Httpx, "aiohttp": peers.Aiohttp}[name](url)


class Tally:
    """What all streams have found, and what it cost."""

    def __init__(self, streams: int) -> None:
        self.streams = streams
        self.events = self.text = 0
        self.begun = 0
        self.cpu = self.wall = 0.0
        self.events_before = 0
        self.latencies: list[int] = []

    def begin(self) -> None:
        self.begun += 1
        if self.begun == self.streams:
            self.events_before = self.events
            self.latencies.clear()
            self.cpu, self.wall = time.process_time(), time.monotonic()

    def report(self) -> dict[str, Any]:
        cpu, wall = time.process_time() - self.cpu, time.monotonic() - self.wall
        counted = max(1, self.events - self.events_before)
        found = {"events": self.events, "text": self.text, "begun": self.begun,
                 "cpu_us": cpu / counted * 1e6, "wall_s": wall}
        if self.latencies:
            self.latencies.sort()
            found["p50_us"] = self.latencies[len(self.latencies) // 2] / 1e3
            found["p99_us"] = self.latencies[len(self.latencies) * 99 // 100] / 1e3
        return found


def text_of(event: Any) -> str:
    return getattr(event, "content", None) or getattr(event, "input", None) or ""


async def read(stream: AsyncIterator[Any], tally: Tally) -> None:
    first = True
    async for event in stream:
        tally.events += 1
        tally.text += len(text_of(event))
        if first:
            first = False
            tally.begin()


async def read_timed(stream: AsyncIterator[Any], tally: Tally) -> None:
    first = True
    async for event in stream:
        now = time.monotonic_ns()
        tally.events += 1
        if first:
            first = False
            tally.begin()
        text = text_of(event)
        tally.text += len(text)
        if text[-1:].isdigit():
            tally.latencies.append(now - int(text[-STAMP:]))


async def paced(client: Any, what: str, streams: str, events: str, rate: str, shape: str) -> Any:
    tally = Tally(int(streams))
    read_one = read if what == "paced" else read_timed
    prompt = f"events={events} rate={rate} shape={shape}"
    await asyncio.gather(*(read_one(client.ask(prompt), tally) for _ in range(tally.streams)))
    return tally.report()


async def first(client: Any, _what: str, requests: str) -> Any:
    took = []
    for _ in range(int(requests)):
        begin = time.perf_counter()
        stream = client.ask("events=2 rate=0 shape=plain")
        await stream.__anext__()
        took.append(time.perf_counter() - begin)
        async for _event in stream:
            pass
    took.sort()
    return {"first_us": took[len(took) // 2] * 1e6, "events": len(took)}


def resident() -> int:
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


async def memory(client: Any, _what: str, streams: str) -> Any:
    count, sizes = int(streams), []
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            for _ in range(count):
                stream = await stack.enter_async_context(
                    contextlib.aclosing(client.ask("events=1 rate=0 shape=plain hold")))
                await stream.__anext__()
            sizes.append(resident())
    return {"bytes": (sizes[1] - sizes[0]) / count, "resident": sizes[1], "events": 2 * count}


async def main(name: str, url: str, what: str, *arguments: str) -> None:
    measure = {"paced": paced, "latency": paced, "first": first, "memory": memory}[what]
    client = make_client(name, url)
    try:
        async for _event in client.ask("events=50 rate=0 shape=plain"):  # what is made but once
            pass
        print(json.dumps(await measure(client, what, *arguments)))
    finally:
        await client.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
