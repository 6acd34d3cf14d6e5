# SPDX-License-Identifier: Apache-2.0
"""What there is only one of is not doubled by accident."""

from __future__ import annotations

import copy
import pickle
from typing import Any, Callable

import pytest

from amazon_q_streaming_client import (
    Conversation,
    Login,
    NativeTransport,
    QStreamingClient,
    SyncNativeTransport,
    SyncQStreamingClient,
    Token,
    UserInputMessage,
    tool,
)


@tool
def order(article: str) -> str:
    """Order an article."""
    return article


ONE_OF_A_KIND: list[Callable[[], Any]] = [
    lambda: QStreamingClient("token"),
    lambda: SyncQStreamingClient("token"),
    Login,
    NativeTransport,
    SyncNativeTransport,
    lambda: QStreamingClient("token").stream("Hello"),
    lambda: SyncQStreamingClient("token").stream("Hello"),
    lambda: QStreamingClient("token").run_tools("Hello", tools=[order]),
    lambda: SyncQStreamingClient("token").run_tools("Hello", tools=[order]),
]


@pytest.mark.parametrize("double", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("make", ONE_OF_A_KIND)
def test_what_cannot_be_in_two_places_says_so(make: Any, double: Any) -> None:
    thing = make()
    with pytest.raises(TypeError) as raised:
        double(thing)
    assert str(raised.value).startswith(f"{type(thing).__name__}: cannot be copied or pickled, ")


def test_what_was_said_can_be_pickled() -> None:
    conversation = Conversation(id="one", model="claude")
    other = pickle.loads(pickle.dumps(conversation))
    assert other.to_json() == conversation.to_json()
    message = UserInputMessage(content="Hello")
    assert pickle.loads(pickle.dumps(message)) == message


def test_a_token_can_be_pickled_and_stays_hidden() -> None:
    token = Token("secret", None, None, None, None, None, "q-cli", "sqlite")
    other = pickle.loads(pickle.dumps(token))
    assert other == token and "secret" not in repr(other)


@pytest.mark.parametrize("kind", [NativeTransport, SyncNativeTransport])
def test_a_transport_shows_which_one_it_is_and_no_other_setting(kind: Any) -> None:
    settings = {"transport": "curl", "transport.curl.https_proxy": "http://me:secret@proxy"}
    assert repr(kind(settings)) == f"<{kind.__name__} curl>"
    assert repr(kind()) == f"<{kind.__name__}>"


def test_a_closed_transport_shows_that() -> None:
    transport = SyncNativeTransport()
    transport.close()
    assert repr(transport) == "<SyncNativeTransport closed>"
