# SPDX-License-Identifier: Apache-2.0
"""A client nobody here wrote is content with the service: AWS's own for Python."""

import pytest
from curl import PROMPT, chat
from qservice.oidc import DEVICE_GRANT

botocore = pytest.importorskip("botocore", reason="python3-botocore is not installed")

from botocore import UNSIGNED  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.eventstream import EventStreamBuffer  # noqa: E402
from botocore.session import Session  # noqa: E402


@pytest.fixture
def client(service, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    made = Session().create_client(
        "sso-oidc",
        region_name="us-east-1",
        endpoint_url=service.tls_url,
        verify=service.ca,
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, proxies={}),
    )
    yield made
    made.close()


def registered(client):
    return client.register_client(
        clientName="test", clientType="public", scopes=["codewhisperer:conversations"]
    )


def test_it_logs_in_by_device_code(service, client):
    service.settings(enforce_interval=False)
    known = registered(client)
    credentials = {name: known[name] for name in ("clientId", "clientSecret")}
    grant = client.start_device_authorization(
        **credentials, startUrl="https://view.awsapps.com/start"
    )
    wanted = {"grantType": DEVICE_GRANT, "deviceCode": grant["deviceCode"]}
    with pytest.raises(client.exceptions.AuthorizationPendingException) as pending:
        client.create_token(**credentials, **wanted)
    assert pending.value.response["error"] == "authorization_pending"
    service.approve(grant["verificationUriComplete"].replace(service.tls_url, service.url))
    tokens = client.create_token(**credentials, **wanted)
    assert chat(service, tokens["accessToken"]).status == 200


def test_it_refreshes_once_with_each_token(service, client):
    login = service.login()
    wanted = {
        "clientId": login["client_id"],
        "clientSecret": login["client_secret"],
        "grantType": "refresh_token",
        "refreshToken": login["refresh_token"],
    }
    assert client.create_token(**wanted)["refreshToken"] != login["refresh_token"]
    with pytest.raises(client.exceptions.InvalidGrantException):
        client.create_token(**wanted)


@pytest.mark.parametrize(
    "error, name",
    [
        ("invalid_client", "InvalidClientException"),
        ("slow_down", "SlowDownException"),
        ("expired_token", "ExpiredTokenException"),
        ("server_error", "InternalServerException"),
        ("unauthorized_client", "UnauthorizedClientException"),
    ],
)
def test_it_knows_each_error_by_its_name(service, client, error, name):
    service.fault("RegisterClient", oidc_error=error)
    with pytest.raises(getattr(client.exceptions, name)) as caught:
        registered(client)
    assert caught.value.response["error"] == error


def test_it_decodes_the_stream(service):
    buffer = EventStreamBuffer()
    buffer.add_data(chat(service, service.login()["access_token"]).body)
    messages = [message.to_response_dict() for message in buffer]
    assert messages[0]["headers"][":event-type"] == "messageMetadataEvent"
    assert all(message["status_code"] == 200 for message in messages)
    assert PROMPT.split()[-1].encode() in b"".join(message["body"] for message in messages)


def test_it_reads_an_error_frame_as_an_error(service):
    service.fault("GenerateAssistantResponse", error_frame={"at": 0, "code": "C", "message": "m"})
    buffer = EventStreamBuffer()
    buffer.add_data(chat(service, service.login()["access_token"]).body)
    (message,) = list(buffer)
    assert message.to_response_dict()["status_code"] == 400
