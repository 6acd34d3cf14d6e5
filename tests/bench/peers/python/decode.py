# SPDX-License-Identifier: Apache-2.0
"""botocore's decoder; tests/bench/decoder.py says how it is spoken to."""
import pathlib
import sys
import time

from botocore.eventstream import EventStreamBuffer

ANSWER = pathlib.Path(sys.argv[1]).read_bytes()
CHUNK = int(sys.argv[2])


def decode():
    buffer = EventStreamBuffer()
    frames = headers = payload = 0
    for at in range(0, len(ANSWER), CHUNK):
        buffer.add_data(ANSWER[at:at + CHUNK])
        for message in buffer:
            frames += 1
            headers += len(message.headers)
            payload += len(message.payload)
    return frames, headers, payload


for line in sys.stdin:
    ns = []
    for _ in range(int(line)):
        before = time.perf_counter_ns()
        found = decode()
        ns.append(time.perf_counter_ns() - before)
    print(*found, "-", min(ns), flush=True)
