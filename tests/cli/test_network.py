# SPDX-License-Identifier: Apache-2.0
"""What the environment and the options say of the network means the same with each transport."""

import select
import socket
import subprocess
import threading

import pytest
from command import BINARY
from peers import endless_refusal, read_head

PLUGINS = BINARY.parent.parent / "lib" / "amazonq" / "plugins"
ASK = ("chat", "--no-interactive", "hello")
TEMPORARY = 5


@pytest.fixture(params=["curl", "h2"])
def q(request, online, service, login):
    """A command with a login, a transport and an endpoint whose authority it does not know."""
    if not (PLUGINS / f"transport-{request.param}.so").exists():
        pytest.skip(f"transport-{request.param} is not built")
    online.env["Q_TRANSPORT"] = request.param
    online.env["Q_ENDPOINT_URL"] = service.tls_url.replace("127.0.0.1", "localhost")
    return online


class Proxy:
    """Knows CONNECT, and keeps what it was asked."""

    def __init__(self):
        self.heads = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        head = read_head(client).decode()
        self.heads.append(head)
        host, _, port = head.split(" ")[1].rpartition(":")
        with client, socket.create_connection((host, int(port))) as peer:
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            ways = {client: peer, peer: client}
            while True:
                for source in select.select(list(ways), [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    ways[source].sendall(data)

    def close(self):
        self._listener.close()


@pytest.fixture
def proxy():
    made = Proxy()
    yield made
    made.close()


@pytest.fixture
def hashed(service, tmp_path):
    """A directory with the service's authority, named by its hash."""
    name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", service.ca], check=True,
                          capture_output=True, text=True).stdout.strip()
    (tmp_path / f"{name}.0").symlink_to(service.ca)
    return str(tmp_path)


def test_an_authority_that_nobody_named_is_not_trusted(q):
    result = q.run(*ASK)
    assert result.code == TEMPORARY and "--ca-bundle" in result.err, result


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_file_with_authorities_is_named_by_the_environment(q, service, name):
    q.env[name] = service.ca
    assert q.run(*ASK).code == 0


def test_a_directory_with_authorities_is_named_by_the_environment(q, hashed):
    q.env["SSL_CERT_DIR"] = hashed
    assert q.run(*ASK).code == 0


def test_the_option_beats_the_environment(q, service):
    q.env["AWS_CA_BUNDLE"] = "/nonexistent"
    assert q.run(*ASK, "--ca-bundle", service.ca).code == 0


def test_aws_ca_bundle_beats_ssl_cert_file(q, service):
    q.env |= {"SSL_CERT_FILE": "/nonexistent", "AWS_CA_BUNDLE": service.ca}
    assert q.run(*ASK).code == 0


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_is_named_by_the_environment(q, service, proxy, name):
    q.env |= {"AWS_CA_BUNDLE": service.ca, name: f"http://user:pass@127.0.0.1:{proxy.port}"}
    assert q.run(*ASK).code == 0
    (head,) = proxy.heads
    assert head.startswith("CONNECT localhost:")
    assert "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n" in head
    assert "bearer" not in head.lower()


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_hosts_without_a_proxy_are_named_by_the_environment(q, service, proxy, name):
    q.env |= {"AWS_CA_BUNDLE": service.ca, "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}",
              name: "example.com, .localhost"}
    assert q.run(*ASK).code == 0
    assert proxy.heads == []


def test_http_proxy_means_nothing(q, service, proxy):
    q.env |= {"AWS_CA_BUNDLE": service.ca, "HTTP_PROXY": f"http://127.0.0.1:{proxy.port}",
              "http_proxy": f"http://127.0.0.1:{proxy.port}"}
    assert q.run(*ASK).code == 0
    assert proxy.heads == []


def test_a_proxy_that_is_none_ends_the_command_before_it_asks(q, service):
    q.env |= {"AWS_CA_BUNDLE": service.ca, "HTTPS_PROXY": "gopher://user:pass@localhost:1"}
    result = q.run(*ASK)
    assert result.code != 0 and "check HTTPS_PROXY" in result.err, result
    assert "pass" not in result.err
    assert service.calls("GenerateAssistantResponse") == 0


@pytest.mark.parametrize("q", ["curl"], indirect=True)  # the limit is the check's own
def test_an_answer_that_never_ends_does_not_hold_q_doctor(q):
    with endless_refusal() as url:
        result = q.run("doctor", "--endpoint", url)
    assert result.code == 1
    assert "does not take the login (" in result.out
    assert result.out.endswith("Wrong: 1, to be looked at: 0\n")
