# SPDX-License-Identifier: Apache-2.0
"""The harness of `scripts/bench network`: ours and libcurl find the same in what the server sends."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "network")]
import serving  # noqa: E402

BUILD = pathlib.Path(os.environ["AQ_BUILD_DIR"])
STREAMS, EVENTS = 5, 100
PROMPT = f"events={EVENTS} rate=1000 shape=plain"


@pytest.fixture(params=[(), ("together",)], ids=["spread", "together"])
def url(request):
    with serving.paced(min(os.sched_getaffinity(0)), *request.param) as url:
        yield url


def run(home, transport, url, *command):
    if not (BUILD / "tests" / command[0]).exists():
        pytest.skip(f"{command[0]} is not built")
    env = {**os.environ, "HOME": str(home), "Q_TRANSPORT": transport, "Q_ENDPOINT_URL": url}
    command = [BUILD / "tests" / command[0], *map(str, command[1:])]
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True).stdout)


def test_all_clients_find_the_same(url, tmp_path):
    found = [run(tmp_path, "", url, "stream_libcurl", url, STREAMS, PROMPT)]
    for transport in ("curl", "h2"):
        if (BUILD / f"lib/amazonq/plugins/transport-{transport}.so").exists():
            found.append(run(tmp_path, transport, url, "stream_client", "at-once", STREAMS, PROMPT))
    for one in found:
        assert one["events"] == STREAMS * EVENTS
        assert one["text"] == found[0]["text"] > 0
        assert one["cpu_us"] > 0 and one["p99_us"] >= one["p50_us"] > 0
