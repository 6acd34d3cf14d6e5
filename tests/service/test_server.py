# SPDX-License-Identifier: Apache-2.0
"""How the service starts, what it serves on, and that it ends without a word."""

import copy
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from curl import WAYS, chat, curl
from qservice.client import PACKAGE_PARENT, Service


def spawn(directory, *options, **pipes):
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_PARENT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "qservice", "--dir", str(directory), *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **pipes
    )
    return process, json.loads(process.stdout.readline())


def test_the_ready_line_is_also_in_the_directory(tmp_path):
    process, facts = spawn(tmp_path, stdin=subprocess.DEVNULL)
    assert json.loads(Path(tmp_path, "ready.json").read_text()) == facts
    assert facts["pid"] == process.pid
    process.terminate()
    process.communicate(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quietly_though_calls_are_in_progress(tmp_path, number):
    process, facts = spawn(tmp_path, stdin=subprocess.DEVNULL)
    service = Service(facts)
    service.fault("GenerateAssistantResponse", stall=True, times=-1)
    token = service.login()["access_token"]
    busy = [
        subprocess.Popen(
            [sys.executable, "-B", "-c", BUSY, str(tmp_path), token, way], cwd=PACKAGE_PARENT
        )
        for way in WAYS
    ]
    service.wait("GenerateAssistantResponse", calls=len(WAYS))
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, b"", b"")
    for client in busy:
        assert client.wait(timeout=60) == 0


BUSY = """
import sys
from curl import chat
from qservice.client import Service
answer = chat(Service.attach(sys.argv[1]), sys.argv[2], way=sys.argv[3])
sys.exit(0 if answer.exit_code and not answer.status else 1)
"""


def test_it_ends_with_its_stdin_when_asked_to(tmp_path):
    process, _ = spawn(tmp_path, "--stdin-lifetime", stdin=subprocess.PIPE)
    assert process.poll() is None
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, b"", b"")


def test_it_uses_the_ports_it_is_given(tmp_path):
    with socket.socket() as one, socket.socket() as other:
        ports = []
        for sock in (one, other):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", 0))  # kept from others until the service listens there
            ports.append(sock.getsockname()[1])
        with Service.start(str(tmp_path), *ports) as service:
            assert service.url.endswith(f":{ports[0]}")
            assert service.tls_url.endswith(f":{ports[1]}")
            assert service.counters()["connections"] == 0


def test_two_run_side_by_side():
    with Service.start() as one, Service.start() as other:
        one.login()
        token = one.login()["access_token"]
        assert chat(one, token).status == 200
        assert chat(other, token).status == 403


def test_the_private_key_is_private(service):
    assert stat.S_IMODE(os.stat(Path(service.dir, "server.key")).st_mode) == 0o600


@pytest.mark.parametrize("way", WAYS)
def test_both_protocols_are_spoken_on_both_ports(service, way):
    answer = curl(service, "/nothing", way=way)
    assert (answer.exit_code, answer.status, answer.version) == (0, 404, WAYS[way][2])


def test_the_certificate_is_refused_without_its_authority(service):
    other = copy.copy(service)
    other.ca = "/dev/null"
    assert curl(other, "/nothing", way="h2").exit_code in (60, 77)
    assert curl(service, "/nothing", way="h2").exit_code == 0


def test_the_certificate_is_good_enough_for_a_client_that_is_strict(service):
    context = ssl.create_default_context(cafile=service.ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # Python's default from 3.13 on
    url = urlsplit(service.tls_url)
    with socket.create_connection((url.hostname, url.port)) as plain:
        with context.wrap_socket(plain, server_hostname=url.hostname) as tls:
            assert tls.getpeercert()["issuer"]


def test_the_control_api_is_not_on_the_tls_port(service):
    assert curl(service, "/_control/counters", b"{}").status == 200
    assert curl(service, "/_control/counters", b"{}", way="https1").status == 404


def test_the_date_follows_the_clock_of_the_service(service):
    service.settings(clock_skew=-40 * 365 * 86400)
    assert " 198" in curl(service, "/nothing").headers["date"]
