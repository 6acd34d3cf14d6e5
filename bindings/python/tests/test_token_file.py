# SPDX-License-Identifier: Apache-2.0
"""A token that was handed in, in place of a login: from a file, a pipe, the service manager."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import amazon_q_streaming_client as q
from amazon_q_streaming_client import Login, QStreamingClient, SyncQStreamingClient


@pytest.fixture
def token_file(endpoints: Any, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A token that the service accepts, where Q_TOKEN_FILE says."""
    path = tmp_path / "token"
    replace(path, token)
    monkeypatch.setenv("Q_TOKEN_FILE", str(path))
    return path


def replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(0o400)
    fresh.replace(path)


@pytest.mark.anyio
async def test_from_login_takes_the_token_that_was_handed_in(
    token_file: Path, nothing_left: None
) -> None:
    async with QStreamingClient.from_login() as client:
        assert [event async for event in client.generate_assistant_response("hello")]


def test_a_long_lived_client_sees_another_token_at_its_next_request(
    token_file: Path, endpoints: Any, token: str
) -> None:
    with SyncQStreamingClient.from_login() as client:
        assert list(client.generate_assistant_response("hello"))
        replace(token_file, endpoints.control("login", expires_in=3600)["access_token"])
        endpoints.control("revoke", access_token=token)
        assert list(client.generate_assistant_response("hello"))
    assert endpoints.calls("GenerateAssistantResponse") == 2  # none was rejected


def test_a_token_that_was_replaced_after_it_was_rejected_is_used_at_once(
    token_file: Path, token: str
) -> None:
    with Login() as login:
        assert login.token().access_token == token
        with pytest.raises(q.QTokenUnavailable) as caught:
            login.renew(token)
        assert str(caught.value).startswith(f"token file {token_file}: nothing here can renew it")
        replace(token_file, "another")
        assert login.renew(token).access_token == "another"


def test_a_bare_token_tells_nothing_about_itself(token_file: Path) -> None:
    with Login() as login:
        token = login.token()
    assert token.store == "token-file" and token.external
    assert token.expires_at is token.expires_at_epoch is token.expires_in is None
    assert token.region is token.profile_arn is None


def test_an_exported_token_tells_until_when_and_keeps_its_refresh_token_to_itself(
    token_file: Path,
) -> None:
    exported = {
        "access_token": "a",
        "refresh_token": "never-spent",
        "expires_at": "2099-01-01T00:00:00Z",
        "region": "eu-central-1",
        "profile_arn": "arn:aws:codewhisperer:eu-central-1:1:profile/X",
    }
    replace(token_file, json.dumps(exported))
    with Login() as login:
        token = login.token()
    assert token.expires_at == "2099-01-01T00:00:00Z"
    assert token.expires_in is not None and token.expires_in > 3600
    assert (token.region, token.profile_arn) == ("eu-central-1", exported["profile_arn"])
    assert "never-spent" not in str(vars(token))


def test_an_expired_token_names_its_file(token_file: Path) -> None:
    replace(token_file, '{"access_token": "a", "expires_at": "2020-01-01T00:00:00Z"}')
    with Login() as login:
        with pytest.raises(q.QTokenUnavailable) as caught:
            login.token()
    assert str(caught.value) == (
        f"token file {token_file}: nothing here can renew it, put a new token there "
        "(expired at 2020-01-01T00:00:00Z)"
    )


def test_a_caller_can_name_the_file_without_the_environment(
    token_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    replace(other, "other-token")
    with Login(store="token-file", settings={"store.token-file.file": str(other)}) as login:
        assert login.token().access_token == "other-token"


def test_a_login_in_a_database_that_is_named_is_still_used(
    token_file: Path, database: Path
) -> None:
    with Login(db=str(database)) as login:
        assert login.token().store == "sqlite"


PROGRAM = """
import os, subprocess, sys
import amazon_q_streaming_client as q
for _ in range(2):
    with q.SyncQStreamingClient.from_login() as client:
        assert list(client.generate_assistant_response("hello"))
assert subprocess.call(["sh", "-c", f"true <&{os.environ['Q_TOKEN_FD']}"], close_fds=False) != 0
"""


def test_a_token_in_a_pipe_lasts_as_long_as_the_process_and_is_not_inherited(
    endpoints: Any, token: str
) -> None:
    end, start = os.pipe()
    os.write(start, token.encode())
    os.close(start)
    environment = {**os.environ, "Q_TOKEN_FD": str(end)}
    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, env=environment, pass_fds=[end], stderr=subprocess.PIPE)
    os.close(end)
    assert done.returncode == 0, done.stderr
