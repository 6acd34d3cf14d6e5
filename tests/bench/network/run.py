# SPDX-License-Identifier: Apache-2.0
"""Measures the budgets of the transports and prints them; `scripts/bench network` builds the rest.

    run.py BUILD ROUNDS

BUILD has tests/stream_client, tests/stream_libcurl and the plugins. Servers have the first
processor, what is measured the last one. Clients run in turn; a ratio is the median of the ratios of each
round. What ours is measured against decodes nothing in N1 to N5, and the same in N6 and N7.
"""
import importlib.util
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import budget
import serving
from budget import Budget

FIRST, LAST = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
PEER = pathlib.Path(__file__).with_name("peer.py")
STREAMS, EVENTS, RATE = 100, 200, 50  # events a second, of each stream
REQUESTS, COLD_ROUNDS = 100, 10       # COLD_ROUNDS for each round: a process is short

CURL, LIBCURL, HTTPX, H2LOAD = "curl", "libcurl", "httpx", "h2load"
OURS_CURL, OURS_H2, TEXTS = "transport-curl", "transport-h2", "the same, texts"
BULK = "CPU per MB"
PACED = f"{STREAMS} streams, CPU per event"

N1_H1 = Budget("N1", f"{BULK}, HTTP/1.1: curl", "curl", "<=", 2.0, 1.6)
N1_TLS = Budget("N1", f"{BULK}, h2, TLS: curl", "curl", "<=", 1.5, 1.2)
N1_TLS_H2 = Budget("N1", f"{BULK}, h2, TLS: h2", "curl", "<=", 1.5, 1.2)
N2 = Budget("N2", f"{BULK}, h2, no TLS: h2", "curl", "<=", 1.6, 1.25)
N3_H1 = Budget("N3", f"{BULK}, HTTP/1.1: curl", "httpx", "<=", 0.5, 0.33)
N3_TLS = Budget("N3", f"{BULK}, h2, TLS: h2", "httpx", "<=", 0.2, 0.10)
N4 = Budget("N4", "a process and its answer, h2, TLS: h2", "curl", "<=", 0.50, 0.20)
N4_PRIVATE = Budget("N4", "the same, OpenSSL linked in: h2", "curl", "<=", 0.50, 0.20)
N5 = Budget("N5", "warm, call to first event, TLS: h2", "httpx, HTTP/2", "<=", 0.25, 0.13)
N6_H1 = Budget("N6", f"{PACED}: curl", "libcurl, multi_socket", "<=", 1.1, 0.75)
N6_H2 = Budget("N6", f"{PACED}, in step: h2", "libcurl, multi_socket", "<=", 0.5, 0.25)
N6_SPREAD = Budget("N6", f"{PACED}, spread: h2", "libcurl, multi_socket", "<=", 0.5, 0.25)
N7_H1 = Budget("N7", f"{PACED}: curl", "httpx and botocore", "<=", 0.15, 0.08)
N7_H2 = Budget("N7", f"{PACED}, in step: h2", "httpx and botocore", "<=", 0.15, 0.08)
BUDGETS = [N1_H1, N1_TLS, N1_TLS_H2, N2, N3_H1, N3_TLS, N4, N4_PRIVATE, N5, N6_H1, N6_H2, N6_SPREAD,
           N7_H1, N7_H2]


class Wrong(Exception):
    """A client did not find what the server sent: no time means anything."""


def say(title, lines):
    print(f"\n{title}", *lines, sep="\n    ", flush=True)


class Bench:
    def __init__(self, build, rounds, folder):
        self.tests, self.rounds, self.measured = build / "tests", rounds, {}
        self.bundle, self.certs = serving.trust(folder)
        self.folder = folder

    def env(self, transport="", url=""):
        """Of a process that knows nothing of this machine but whom to trust."""
        found = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "Q_TRANSPORT": transport,
                 "Q_ENDPOINT_URL": url}
        if transport:
            return found | {"SSL_CERT_DIR": str(self.certs)}
        return found | {"SSL_CERT_FILE": str(self.bundle)}

    def run(self, command, env):
        """Its output, and its processor time in ms."""
        process = subprocess.Popen([*map(str, command)], env=env, text=True, stdout=subprocess.PIPE,
                                   preexec_fn=serving.pinned(LAST))
        out = process.stdout.read()
        _, state, usage = os.wait4(process.pid, 0)
        process.stdout.close()
        process.returncode = os.waitstatus_to_exitcode(state)
        if process.returncode != 0:
            raise Wrong(f"{' '.join(map(str, command))}: failed")
        return out, (usage.ru_utime + usage.ru_stime) * 1e3

    def race(self, title, unit, clients):
        """clients: name -> what measures once. Returns name -> what it measured each round."""
        found = {name: [] for name in clients}
        for _ in range(self.rounds):
            for name, measure in clients.items():
                found[name].append(measure())
        say(title, (f"{name:16} {statistics.median(values):10.3f} {unit}"
                    for name, values in found.items()))
        return found

    def keep(self, found, own, peers):
        for peer, which in peers.items():
            if own in found and peer in found:
                pairs = zip(found[own], found[peer])
                self.measured[which] = statistics.median(a / b for a, b in pairs)

    # Answers as fast as they go.

    def our_answers(self, transport, url, what="at-once"):
        command = [self.tests / "stream_client", what, 1, url]  # the prompt is no matter
        out, ms = self.run(command, self.env(transport, url))
        return json.loads(out)["events"], ms

    def measure_bulk(self, urls, size):
        def per_mb(command, env):
            def measure():
                ms = {name: command(name, env) for name in serving.SIZES}
                return (ms["large"] - ms["small"]) / (size / 1e6)
            return measure

        def theirs(how, *command):
            return per_mb(lambda name, env: self.run([*command, urls[how, name] + "/"], env)[1],
                          self.env())

        def ours(how, transport, what="frames"):
            def once(name, _):
                events, ms = self.our_answers(transport, urls[how, name], what)
                if events != (serving.FRAMES * serving.REPEATS if name == "large" else 1):
                    raise Wrong(f"{transport}: found {events} events")
                return ms
            return per_mb(once, None)

        curl = ["curl", "--silent", "--output", "/dev/null", "--data", "{}"]
        peers = {HTTPX: lambda how: theirs(how, sys.executable, "-B", PEER, "bulk")}
        if not importlib.util.find_spec("httpx"):
            peers = {}
        found = self.race("an answer of 150 MB, HTTP/1.1", "ms/MB", {
            CURL: theirs("h1", *curl, "--http1.1"), OURS_CURL: ours("h1", "curl"),
            TEXTS: ours("h1", "curl", "at-once"),
            **{name: make("h1") for name, make in peers.items()}})
        self.keep(found, OURS_CURL, {CURL: N1_H1, HTTPX: N3_H1})
        others = {}
        if shutil.which("h2load"):
            others[H2LOAD] = per_mb(lambda name, env: self.run(
                ["h2load", "-n1", "-c1", "-m1", "-w24", "-W24", f"{urls['h2c', name]}/{name}"],
                env)[1], self.env())
        found = self.race("the same, HTTP/2 without TLS", "ms/MB", {
            CURL: theirs("h2c", *curl, "--http2-prior-knowledge"), OURS_H2: ours("h2c", "h2"),
            TEXTS: ours("h2c", "h2", "at-once"),
            **others})
        self.keep(found, OURS_H2, {CURL: N2})
        found = self.race("the same, HTTP/2 over TLS", "ms/MB", {
            CURL: theirs("tls", *curl, "--cacert", self.bundle), OURS_CURL: ours("tls", "curl"),
            OURS_H2: ours("tls", "h2"), **{name: make("tls") for name, make in peers.items()}})
        self.keep(found, OURS_CURL, {CURL: N1_TLS})
        self.keep(found, OURS_H2, {CURL: N1_TLS_H2, HTTPX: N3_TLS})

    def measure_cold(self, urls):
        """Whole processes, by tests/process_time."""
        url = urls["tls", "small"]
        private = self.tests.parent / "private/tests"
        for which, words, tests in ((N4, "", self.tests),
                                    (N4_PRIVATE, ", OpenSSL linked in", private)):
            out, _ = self.run(
                [self.tests / "process_time", self.rounds * COLD_ROUNDS,
                 CURL, "curl", "--silent", "--cacert", self.bundle, "--data", "{}", url,
                 "--", OURS_H2, tests / "stream_client", "at-once", 1, "hello"],
                self.env("h2", url))
            say(f"a process that asks, checks the certificate and reads one event{words}",
                out.splitlines())
            self.measured[which] = float(out.splitlines()[-1].split()[-1])

    def measure_warm(self, urls):
        def first(command, env):
            return lambda: json.loads(self.run(command, env)[0])["first_us"]

        url = urls["tls", "small"]
        clients = {OURS_H2: first([self.tests / "stream_client", "in-turn", REQUESTS, "hello"],
                                  self.env("h2", url))}
        if importlib.util.find_spec("httpx"):
            clients[HTTPX] = first([sys.executable, "-B", PEER, "in-turn", url, REQUESTS, "hello"],
                                   self.env())
        found = self.race("one answer after the other, until its first event", "us", clients)
        self.keep(found, OURS_H2, {HTTPX: N5})

    # Answers at the pace of a model.

    def measure_paced(self, title, url, own):
        prompt = f"events={EVENTS} rate={RATE} shape=plain"

        def paced(command, env):
            def measure():
                found = json.loads(self.run(command, env)[0])
                if found["events"] != STREAMS * EVENTS:
                    raise Wrong(f"{command[0]}: found {found['events']} events")
                return found["cpu_us"]
            return measure

        clients = {LIBCURL: paced([self.tests / "stream_libcurl", url, STREAMS, prompt],
                                  self.env())}
        for name, transport in own.items():
            clients[name] = paced([self.tests / "stream_client", "at-once", STREAMS, prompt],
                                  self.env(transport, url))
        if all(map(importlib.util.find_spec, ("httpx", "botocore"))):
            clients[HTTPX] = paced([sys.executable, "-B", PEER, "at-once", url, STREAMS, prompt],
                                   self.env())
        return self.race(f"{STREAMS} streams, {RATE} events a second each, {title}", "us/event",
                         clients)


def main():
    build, rounds = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="q-bench.") as folder:
        bench = Bench(build, rounds, pathlib.Path(folder))
        try:
            with serving.nginx(bench.folder, FIRST) as (urls, size):
                bench.measure_bulk(urls, size)
                bench.measure_cold(urls)
                bench.measure_warm(urls)
            with serving.paced(FIRST) as url:
                found = bench.measure_paced("each event by itself", url,
                                            {OURS_CURL: "curl", OURS_H2: "h2"})
                bench.keep(found, OURS_CURL, {LIBCURL: N6_H1, HTTPX: N7_H1})
                bench.keep(found, OURS_H2, {LIBCURL: N6_SPREAD})
            with serving.paced(FIRST, "together") as url:
                found = bench.measure_paced("all in step", url, {OURS_H2: "h2"})
                bench.keep(found, OURS_H2, {LIBCURL: N6_H2, HTTPX: N7_H2})
        except Wrong as wrong:
            sys.exit(f"run.py: {wrong}")
    say("budgets", budget.table(BUDGETS, bench.measured))


if __name__ == "__main__":
    main()
