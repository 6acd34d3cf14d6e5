# SPDX-License-Identifier: Apache-2.0
"""Stores and transports that are chosen on the command line, by name and by path."""

import json
import os
import subprocess
from pathlib import Path

from command import TIMEOUT_S
from qservice import eventstream

STORE_MEMORY = os.environ["AQ_TEST_STORE_MEMORY"]
FAKES = Path(os.environ["AQ_TEST_FAKES"])
SCRIPT = FAKES / "transport-script.so"


def write_settings(q, **settings):
    """Save settings as the existing CLI does, where only their owner may write."""
    q.db.parent.mkdir(parents=True, exist_ok=True)
    path = q.db.parent / "settings.json"
    path.write_text(json.dumps(settings))
    path.chmod(0o600)


def write_script(q, *parts):
    """Write what the transport plays; returns where it logs the requests."""
    log = q.home / "requests.log"
    q.asked.append(log)
    (q.home / "script").write_text("\n---\n".join("\n".join(part) for part in parts) + "\n")
    settings = {"transport.script.script": f"{q.home}/script", "transport.script.log": str(log)}
    write_settings(q, **settings)
    return log


def write_answer(q, *texts):
    frames = [eventstream.event("assistantResponseEvent", {"content": text}) for text in texts]
    (q.home / "frames").write_bytes(b"".join(frames))
    head = ["status 200", f"header Content-Type: {eventstream.MEDIA_TYPE}"]
    return write_script(q, [*head, f"file {q.home}/frames"])


def test_a_store_by_its_path(q):
    result = q.run("user", "export-token", "--store", STORE_MEMORY)
    assert (result.code, result.out) == (4, ""), result
    assert "store 'memory'" in result.err


def test_a_store_by_its_name(q):
    result = q.run("whoami", "--store", "memory")
    assert (result.code, result.out) == (4, "Not logged in\n"), result


def test_a_store_that_is_a_file_of_another_kind_is_refused(q):
    result = q.run("whoami", "--store", str(SCRIPT))
    assert (result.code, result.out) == (3, ""), result
    assert "is not a store" in result.err


def test_a_store_by_a_relative_path_is_refused(q):
    result = q.run("whoami", "--store", "./store-memory.so")
    assert (result.code, result.out) == (2, ""), result
    assert "absolute path" in result.err


def test_a_store_in_one_of_more_directories(q):
    unknown = q.run("whoami", "--store", "open")
    assert (unknown.code, unknown.out) == (3, ""), unknown
    assert "no such plugin" in unknown.err
    found = q.run("whoami", "--store", "open", "--plugin", f"/nowhere:{FAKES}")
    assert (found.code, found.out) == (3, ""), found
    assert "does not want to be opened" in found.err


def test_a_directory_that_is_not_absolute_is_refused_before_anything_else(q):
    args = ["--plugin", "here", "chat", "--no-interactive"]
    process = q.start(*args, stdin=subprocess.PIPE)
    assert process.wait(TIMEOUT_S) == 2  # its standard input is still open: it was not read
    out, err = process.communicate()
    assert out == b""
    assert err == b"q: option '--plugin': 'here' is not an absolute path, start it with /\n"


def test_a_directory_that_is_not_absolute_is_refused_although_nobody_looks_there(online, login):
    assert online.run("whoami", "--plugin", "/nowhere").code == 0
    assert online.run("whoami", "--plugin", "nowhere").code == 2
    assert online.run("whoami", "--plugin", "nowhere", "--help").code == 0


def test_an_answer_by_a_transport_from_its_path(online, login, service):
    log = write_answer(online, "A store keeps ", "logins.")
    result = online.run("chat", "--no-interactive", "--transport", str(SCRIPT), "What?")
    assert (result.code, result.out) == (0, "A store keeps logins.\n"), result
    assert f"Bearer {login['access_token']}" in log.read_text()
    assert service.calls("GenerateAssistantResponse") == 0


def test_an_answer_by_a_transport_from_one_of_more_directories(online, login):
    write_answer(online, "Hello.")
    args = ["--transport=script", f"--plugin={FAKES}", "chat", "--no-interactive", "Hi"]
    assert online.run(*args).out == "Hello.\n"


def test_a_refresh_by_a_transport_that_fails_loses_nothing(online, service):
    service.seed(online.db, expires_in=-60)
    before = online.row()
    write_script(online, ["error NETWORK"])
    result = online.run("user", "export-token", "--transport", str(SCRIPT))
    assert (result.code, result.out) == (5, ""), result
    assert online.row() == before


def test_a_transport_that_is_unknown_does_not_matter_until_it_is_needed(online, login):
    assert online.run("whoami", "--transport", "pigeon").code == 0
    result = online.run("chat", "--no-interactive", "--transport", "pigeon", "Hi")
    assert (result.code, result.out) == (3, ""), result
    assert "transport 'pigeon'" in result.err
