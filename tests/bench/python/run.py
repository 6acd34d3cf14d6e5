# SPDX-License-Identifier: Apache-2.0
"""Measures the budgets of the Python package and prints them; `scripts/bench python` prepares what this needs.

    run.py ROUNDS

Runs with the interpreter that has the peers. The server has the first processor for itself, what is measured the
last one. Clients run in turn; a ratio is the median of the ratios of each round.
"""
from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import budget
import corpus
from budget import Budget

HERE = Path(__file__).resolve().parent
LAST = max(os.sched_getaffinity(0))

STREAMS, EVENTS, RATE = 100, 200, 50       # events a second, of each stream
MANY, MANY_EVENTS, MANY_RATE = 1000, 50, 5
REQUESTS, IDLE = 200, 100
FRAMES, PASSES = 10000, 7

SDK, SDK_H2, HTTPX, AIOHTTP = "sdk", "sdk-h2", "httpx", "aiohttp"
AGAINST = {HTTPX: "httpx, botocore, pydantic", AIOHTTP: "aiohttp, botocore, pydantic"}
SHAPES = {"plain": "100 streams", "model": "100 streams, with modelId"}
OURS = {SDK: "", SDK_H2: ", HTTP/2"}

PACED = {(shape, own, peer): Budget(id_, f"{what}{over}: CPU per event", AGAINST[peer], "<=", must, goal)
         for shape, what in SHAPES.items()
         for own, over in OURS.items()
         for id_, peer, must, goal in (("P1", HTTPX, 0.30, 0.13), ("P2", AIOHTTP, 0.60, 0.33))}
TUPLES = Budget("P3", "replay to tuples, times as fast", "botocore, json", ">=", 15, 40)
OBJECTS = Budget("P3", "replay to objects, times as fast", "botocore, pydantic", ">=", 5, 10)
LATENCY = Budget("P4", "100 streams: p99 of write to async for", AGAINST[HTTPX], "<=", 1, 0.5)
IMPORT = Budget("P5", "import", "import httpx", "<=", 0.50, 0.30)
FIRST = Budget("P5", "warm: call to first event", AGAINST[HTTPX], "<=", 1, 0.5)
MANY_CPU = Budget("P2", "1000 streams: CPU per event", AGAINST[AIOHTTP], "<=", 0.60, 0.33)
MANY_LATENCY = Budget("P4", "1000 streams: p99 of write to async for", AGAINST[AIOHTTP], "<=", 1, 0.5)
MANY_CPU_H2 = Budget("P2", "1000 streams, HTTP/2: CPU per event", AGAINST[AIOHTTP], "<=", 0.60, 0.33)
FIRST_H2 = Budget("P5", "warm, HTTP/2: call to first event", AGAINST[HTTPX], "<=", 1, 0.5)
MEMORY = Budget("M1", "resident memory of one more idle stream", "httpx", "<=", 0.5, 0.1)
MEMORY_H2 = Budget("M1", "the same, HTTP/2", "httpx", "<=", 0.5, 0.1)
BUDGETS = [*PACED.values(), MANY_CPU, MANY_CPU_H2, TUPLES, OBJECTS, LATENCY, MANY_LATENCY, IMPORT,
           FIRST, FIRST_H2, MEMORY, MEMORY_H2]


class Wrong(Exception):
    """A client did not find what the server sent: no time means anything."""


def say(title: str, lines: Any) -> None:
    print(f"\n{title}", *lines, sep="\n    ", flush=True)


def run(*command: object) -> Any:
    """What a program of ours found, on the last processor."""
    done = subprocess.run([sys.executable, *map(str, command)], cwd=HERE, text=True,
                          stdout=subprocess.PIPE, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, {LAST}))
    if done.returncode != 0:
        raise Wrong(f"{' '.join(map(str, command))}: failed")
    return json.loads(done.stdout)


@contextmanager
def server() -> Iterator[str]:
    command = [sys.executable, "server.py", "0"]
    with subprocess.Popen(command, cwd=HERE, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


class Race:
    """Clients in turn, each in a new process."""

    def __init__(self, title: str, url: str, rounds: int, clients: list[str], *what: object) -> None:
        self.runs: dict[str, list[dict[str, float]]] = {name: [] for name in clients}
        for _ in range(rounds):
            for name in clients:
                self.runs[name].append(run("client.py", name, url, *what))
        say(title, map(self.line, clients))

    def line(self, name: str) -> str:
        found = self.runs[name]
        cells = (f"{key} {statistics.median(one[key] for one in found):10.1f}" for key in found[0])
        return f"{name:8} " + "  ".join(cells)

    def check(self, **wanted: int) -> Race:
        for name, found in self.runs.items():
            for one in found:
                wrong = {key: one[key] for key in wanted if one[key] != wanted[key]}
                if wrong:
                    raise Wrong(f"{name}: found {wrong}, the server sent {wanted}")
        return self

    def ratio(self, peer: str, key: str, own: str = SDK) -> float:
        pairs = zip(self.runs[own], self.runs[peer])
        return statistics.median(one[key] / other[key] for one, other in pairs)


def totals(streams: int, events: int, shape: str) -> dict[str, int]:
    return {"events": streams * events, "text": streams * corpus.text_len(shape, events)}


def measure_streams(url: str, rounds: int) -> dict[Budget, float]:
    measured = {}
    for shape, title in SHAPES.items():
        race = Race(f"{title}, {RATE} events a second each", url, rounds,
                    [SDK, SDK_H2, HTTPX, AIOHTTP], "paced", STREAMS, EVENTS, RATE, shape)
        race.check(**totals(STREAMS, EVENTS, shape))
        for own in OURS:
            for peer in AGAINST:
                measured[PACED[shape, own, peer]] = race.ratio(peer, "cpu_us", own)
    race = Race("the same, with the time each event took", url, rounds, [SDK, HTTPX],
                "latency", STREAMS, EVENTS, RATE, "plain").check(**totals(STREAMS, EVENTS, "plain"))
    measured[LATENCY] = race.ratio(HTTPX, "p99_us")
    race = Race(f"{MANY} streams in one process, {MANY_RATE} events a second each", url, rounds,
                [SDK, SDK_H2, AIOHTTP], "latency", MANY, MANY_EVENTS, MANY_RATE, "plain")
    race.check(**totals(MANY, MANY_EVENTS, "plain"))
    measured[MANY_CPU] = race.ratio(AIOHTTP, "cpu_us")
    measured[MANY_CPU_H2] = race.ratio(AIOHTTP, "cpu_us", SDK_H2)
    measured[MANY_LATENCY] = race.ratio(AIOHTTP, "p99_us")
    race = Race("one request after the other, until the first event", url, rounds,
                [SDK, SDK_H2, HTTPX], "first", REQUESTS).check(events=REQUESTS)
    measured[FIRST] = race.ratio(HTTPX, "first_us")
    measured[FIRST_H2] = race.ratio(HTTPX, "first_us", SDK_H2)
    race = Race(f"{IDLE} more idle streams after {IDLE}", url, rounds,
                [SDK, SDK_H2, HTTPX], "memory", IDLE).check(events=2 * IDLE)
    measured[MEMORY] = race.ratio(HTTPX, "bytes")
    measured[MEMORY_H2] = race.ratio(HTTPX, "bytes", SDK_H2)
    return measured


def measure_replay() -> dict[Budget, float]:
    """The rounds are inside one process."""
    times = run("replay.py", FRAMES, PASSES)
    say(f"replay of {FRAMES} events, ns per event",
        (f"{name:24} {statistics.median(ns):9.0f}" for name, ns in times.items()))

    def ratio(peer: str, own: str) -> float:
        return statistics.median(a / b for a, b in zip(times[peer], times[own]))

    return {TUPLES: ratio("botocore and json", "sdk tuples"),
            OBJECTS: ratio("botocore and pydantic", "sdk objects")}


IMPORTS = "import json, time; t = time.perf_counter(); import {}; print(json.dumps(time.perf_counter() - t))"


def measure_import(rounds: int) -> dict[Budget, float]:
    own, other = [], []
    for _ in range(rounds):
        own.append(run("-c", IMPORTS.format("amazon_q_streaming_client")))
        other.append(run("-c", IMPORTS.format("httpx")))
    say("import, ms", (f"{name:8} {statistics.median(took) * 1e3:8.1f}"
                       for name, took in ((SDK, own), (HTTPX, other))))
    return {IMPORT: statistics.median(a / b for a, b in zip(own, other))}


def main() -> None:
    rounds = int(sys.argv[1])
    try:
        measured = measure_import(rounds) | measure_replay()
        with server() as url:
            measured |= measure_streams(url, rounds)
    except Wrong as wrong:
        sys.exit(f"run.py: {wrong}")
    say("budgets", budget.table(BUDGETS, measured))


if __name__ == "__main__":
    main()
