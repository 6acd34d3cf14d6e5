# SPDX-License-Identifier: Apache-2.0
"""T8: hundreds of answers at a time, on one client, for minutes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import BINARY, SANITIZED
from harness import LONG, report

TESTS = Path(__file__).resolve().parent.parent
SERVER = TESTS / "bench" / "python" / "server.py"
CLIENT = BINARY.parent.parent / "tests" / "stream_client"
PLUGINS = BINARY.parent.parent / "lib" / "amazonq" / "plugins"
STREAMS, RATE = 256, 20  # events a second, of each
SECONDS = 600 if LONG else 3
GROWTH_KIB = 1024
LATENCY_US = 100_000


@pytest.fixture(params=["curl", "h2"])
def transport(request):
    if not (PLUGINS / f"transport-{request.param}.so").exists():
        pytest.skip(f"transport-{request.param} is not built")
    return request.param


@pytest.fixture
def url():
    env = {**os.environ, "PYTHONPATH": str(TESTS / "bench")}
    command = [sys.executable, "-B", SERVER, str(min(os.sched_getaffinity(0)))]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as server:
        yield server.stdout.readline().strip()
        server.kill()


def memory_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:  # it is about to end
        return 0


def watch(client):
    """Memory and descriptors of a client, about a hundred times, while all its streams are open."""
    seen = []
    while client.poll() is None:
        seen.append((memory_kib(client.pid), descriptors(client.pid)))
        time.sleep(SECONDS / 100)
    most = max(count for _, count in seen)  # all connections are there
    open_at = [i for i, (_, count) in enumerate(seen) if count == most]
    seen = seen[open_at[0] : open_at[-1] + 1]
    return seen[len(seen) // 5 :]


def test_no_event_of_many_answers_is_lost_and_nothing_grows(transport, url, tmp_path):
    events = SECONDS * RATE
    env = {**os.environ, "HOME": str(tmp_path), "Q_TRANSPORT": transport, "Q_ENDPOINT_URL": url}
    command = [CLIENT, "at-once", str(STREAMS), f"events={events} rate={RATE} shape=plain"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as client:
        seen = watch(client)
        found = json.loads(client.stdout.read())
    assert client.returncode == 0  # it fails when an event comes twice, or not in order
    assert found["events"] == STREAMS * events
    grown = max(kib for kib, _ in seen) - seen[0][0]
    assert len({count for _, count in seen}) == 1, "descriptors come and go"
    if not SANITIZED:
        assert grown <= GROWTH_KIB
    if LONG:
        assert found["p99_us"] < LATENCY_US
    outcome = (f"none lost, twice or not in order; {max(grown, 0)} KiB more, descriptors as before, "
               f"99 % read within {found['p99_us'] / 1000:.1f} ms of the server's write")
    report("T8", f"events of {STREAMS} answers at a time, {RATE} a second each, "
           f"for {SECONDS // 60 or SECONDS} {'minutes' if LONG else 'seconds'}"
           + (" (h2)" if transport == "h2" else ""), found["events"], outcome)
