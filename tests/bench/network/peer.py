# SPDX-License-Identifier: Apache-2.0
"""What a program does in Python without this project: httpx, and botocore for the event stream.

    peer.py bulk URL                     read an answer, decode nothing
    peer.py at-once URL STREAMS PROMPT   decode them all; prints {"events": ..., "cpu_us": ...},
                                         the latter of an event, since every stream has had one
    peer.py in-turn URL REQUESTS PROMPT  prints {"first_us": ...}, as stream_client does

HTTP/2 where it is offered. The authority to trust is in the file that SSL_CERT_FILE names.
"""
import asyncio
import json
import statistics
import sys
import time

import httpx

HEADERS = {"content-type": "application/x-amz-json-1.0"}


def bulk(url):
    with httpx.Client(http2=True, timeout=None) as client:
        with client.stream("POST", url, headers=HEADERS, content=b"{}") as response:
            for _ in response.iter_raw():
                pass


class Tally:
    def __init__(self, streams):
        self.streams, self.begun, self.events, self.before, self.cpu = streams, 0, 0, 0, 0.0

    def begin(self):
        self.begun += 1
        if self.begun == self.streams:
            self.before, self.cpu = self.events, time.process_time()


async def read(client, url, body, tally):
    from botocore.eventstream import EventStreamBuffer

    buffer, begun = EventStreamBuffer(), False
    async with client.stream("POST", url, headers=HEADERS, content=body) as response:
        async for chunk in response.aiter_raw():
            buffer.add_data(chunk)
            for event in buffer:
                payload = json.loads(event.payload)
                tally.events += isinstance(payload, dict)
                if not begun:
                    begun = True
                    tally.begin()


async def at_once(url, streams, prompt):
    tally, body = Tally(streams), json.dumps({"content": prompt}).encode()
    limits = httpx.Limits(max_connections=streams)
    async with httpx.AsyncClient(timeout=None, limits=limits) as client:
        await asyncio.gather(*(read(client, url, body, tally) for _ in range(streams)))
    cpu = (time.process_time() - tally.cpu) / (tally.events - tally.before)
    return {"events": tally.events, "cpu_us": cpu * 1e6}


def in_turn(url, requests, prompt):
    took, body = [], json.dumps({"content": prompt}).encode()
    with httpx.Client(http2=True, timeout=None) as client:
        for _ in range(requests + 1):
            start = time.perf_counter()
            with client.stream("POST", url, headers=HEADERS, content=body) as response:
                chunks = response.iter_raw()
                next(chunks)
                took.append(time.perf_counter() - start)
                for _ in chunks:
                    pass
    return {"first_us": statistics.median(took[1:]) * 1e6}


def main():
    what, url = sys.argv[1:3]
    if what == "bulk":
        bulk(url)
    elif what == "at-once":
        print(json.dumps(asyncio.run(at_once(url, int(sys.argv[3]), sys.argv[4]))))
    else:
        print(json.dumps(in_turn(url, int(sys.argv[3]), sys.argv[4])))


if __name__ == "__main__":
    main()
