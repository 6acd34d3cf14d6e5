# SPDX-License-Identifier: Apache-2.0
"""check-plugin, run as `q plugin check` runs it."""

import json
import os
import re
import subprocess
from pathlib import Path

CHECK = Path(os.environ["AQ_TEST_CHECK"])
PLUGINS = Path(os.environ["AQ_TEST_PLUGINS"])
FAKES = Path(os.environ["AQ_TEST_FAKES"])
HOSTILE = Path(os.environ["AQ_TEST_HOSTILE"])
SANITIZED = os.environ["AQ_TEST_SANITIZED"] == "1"
TIMEOUT_S = 300


def run(*args, **options):
    """The finished process, its output as text."""
    command = [CHECK, *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, **options
    )


def list_clauses(kind=""):
    """The ids of all clauses of a kind, in their order."""
    ids = re.findall(r"^\| `(\S+)` \|", run("--list").stdout, re.MULTILINE)
    return [id for id in ids if id.startswith(kind)]


class Report:
    def __init__(self, plugin, *args, **options):
        done = run("--format", "json", *args, plugin, **options)
        assert done.stderr == "", done.stderr
        self.code = done.returncode
        self.json = json.loads(done.stdout)
        self.clauses = {clause["id"]: clause for clause in self.json["clauses"]}

    def ids(self, result):
        return {id for id, clause in self.clauses.items() if clause["result"] == result}

    def text(self, id):
        return self.clauses[id]["text"]

    def __repr__(self):
        """A line for each clause that is not ok, the broken ones at the end, where they are seen."""
        rest = [c for c in self.clauses.values() if c["result"] != "ok"]
        rest.sort(key=lambda clause: clause["result"], reverse=True)
        lines = [f"{clause['result']} {clause['id']}: {clause['text']}" for clause in rest]
        return "\n".join([f"exit {self.code}", *lines])


def assert_sound(report, *skipped):
    """Nothing is broken, and nothing skipped but clauses of these subjects."""
    subjects = tuple(subject for some in skipped for subject in some)
    assert report.code == 0 and not report.ids("failed"), report
    unexpected = {id for id in report.ids("skipped") if not id.startswith(subjects)}
    assert not unexpected, report


def check_broker(broker, *args):
    return Report(PLUGINS / "store-broker.so", "--setting", f"socket={broker.socket}", *args)


def check_keyring(desktop, *args):
    bus = desktop.env["DBUS_SESSION_BUS_ADDRESS"]
    settings = ["--setting", f"bus_address={bus}", "--setting", f"runtime_dir={desktop.runtime}"]
    return Report(PLUGINS / "store-keyring.so", *settings, *args)
