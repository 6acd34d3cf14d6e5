# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the arguments of a client is said when it is made."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import amazon_q_streaming_client as q
from amazon_q_streaming_client import Login, QStreamingClient, SyncQStreamingClient


@pytest.mark.parametrize(
    ("kind", "wrong"), [(QStreamingClient, httpx.Client), (SyncQStreamingClient, httpx.AsyncClient)]
)
def test_an_http_client_of_the_other_kind_is_an_error(kind: Any, wrong: Any) -> None:
    with pytest.raises(q.QConfigurationError, match=f"not {wrong.__name__}; .* takes an httpx"):
        kind("t", http_client=wrong())
    with pytest.raises(q.QConfigurationError, match="not str"):
        kind("t", http_client="http")


@pytest.mark.parametrize("kind", [QStreamingClient, SyncQStreamingClient])
@pytest.mark.parametrize("token", [None, "", 3, b"bytes", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_a_token_that_is_none_is_an_error(kind: Any, token: Any) -> None:
    with pytest.raises(q.QConfigurationError, match="access token: "):
        kind(token)


@pytest.mark.parametrize("argument", ["store", "source", "db"])
def test_what_names_a_login_must_be_a_string(argument: str) -> None:
    for make in (Login, QStreamingClient.from_login, SyncQStreamingClient.from_login):
        with pytest.raises(q.QConfigurationError, match=f"login: {argument} must be a string"):
            make(**{argument: 3})  # type: ignore[operator]
