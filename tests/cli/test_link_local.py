# SPDX-License-Identifier: Apache-2.0
"""Containers and instances hand out access keys at addresses that nobody has to name: asked here at
those, in a network of its own."""

from urllib.parse import urlsplit

import pytest
from island import new_island
from key_givers import CHAT, assert_answered, document, serving, with_session
from peers import relay

ROLES = "/latest/meta-data/iam/security-credentials/"
INSTANCE = {
    ("PUT", "/latest/api/token"): (200, "canary-imds-0123456789"),
    ("GET", ROLES): (200, "worker\n"),
    ("GET", ROLES + "worker"): (200, document(Code="Success")),
}


@pytest.fixture
def island(signed, service):
    """A network with nothing in it but the service, where it is outside."""
    with_session(service)
    del signed.env["AWS_EC2_METADATA_DISABLED"]
    host, port = urlsplit(service.url).hostname, urlsplit(service.url).port
    with new_island() as island, relay(island.listen(host, port), (host, port)):
        yield island


def asked_by(island, signed, address, answers):
    with serving(answers, island.listen(address, 80)) as (_, asked):
        assert_answered(island.run(signed, *CHAT))
    return [(one[0], one[1], {k.lower(): v for k, v in one[2].items()}) for one in asked]


def test_a_task_of_a_container_service_is_asked_at_its_address(signed, island):
    signed.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/one"
    answers = {("GET", "/v2/credentials/one"): (200, document())}
    ((_, _, headers),) = asked_by(island, signed, "169.254.170.2", answers)
    assert headers["host"] == "169.254.170.2" and "authorization" not in headers


@pytest.mark.parametrize("address", ["169.254.170.23", "fd00:ec2::23"])
def test_a_pod_is_asked_with_the_token_of_its_file(signed, island, address):
    host = f"[{address}]" if ":" in address else address
    token = signed.home / "token"
    token.write_text("canary-pod-0123456789\n")
    signed.asked.append(token)
    signed.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://{host}/v1/credentials"
    signed.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = str(token)
    answers = {("GET", "/v1/credentials"): (200, document())}
    ((_, _, headers),) = asked_by(island, signed, address, answers)
    assert headers["authorization"] == "canary-pod-0123456789"


@pytest.mark.parametrize(
    ("address", "environment"),
    [
        ("169.254.169.254", {}),
        ("169.254.169.254", {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://169.254.169.254/"}),
        ("fd00:ec2::254", {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}),
        ("fd00:ec2::254", {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[fd00:ec2::254]:80"}),
    ],
)
def test_an_instance_is_asked_at_its_address(signed, island, address, environment):
    signed.env.update(environment)
    token, role, key = asked_by(island, signed, address, INSTANCE)
    assert (token[0], role[1], key[1]) == ("PUT", ROLES, ROLES + "worker")


def test_no_proxy_is_asked_for_them(signed, island):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        signed.env[name] = "http://127.0.0.1:1"
    assert len(asked_by(island, signed, "169.254.169.254", INSTANCE)) == 3


def test_where_no_cloud_is_nobody_answers(signed, island):
    result = island.run(signed, *CHAT)
    assert result.code == 4 and "container or an instance" in result.err, result
