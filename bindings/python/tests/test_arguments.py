# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the arguments of a client, or of a method, is said when they are passed."""

from __future__ import annotations

import inspect
from typing import Any

import httpx
import pytest

import amazon_q_streaming_client as q
from amazon_q_streaming_client import Conversation, Login, QStreamingClient, SyncQStreamingClient

CLIENTS = [QStreamingClient, SyncQStreamingClient]

# Every method, with what it needs.
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("generate_assistant_response", {"message": "x"}),
    ("stream", {"message": "x"}),
    ("send_message", {"message": "x"}),
    ("export_result_archive", {"export_id": "x", "export_intent": "TRANSFORMATION"}),
    ("iter_available_models", {}),
    ("iter_available_profiles", {}),
]
AWAITED = ["list_available_models", "list_available_profiles", "get_usage_limits"]


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


@pytest.mark.parametrize("kind", [QStreamingClient, SyncQStreamingClient])
@pytest.mark.parametrize("token", ["aoa\n", "Bearer aoa", " ", "aoa\r\nX-Mine: 1"])
def test_what_is_not_the_token_alone_is_an_error(kind: Any, token: str) -> None:
    with pytest.raises(q.QConfigurationError, match="pass the token alone"):
        kind(token)
    with pytest.raises(q.QConfigurationError, match="pass the token alone"):
        SyncQStreamingClient(lambda: token).get_usage_limits()


@pytest.mark.parametrize("argument", ["store", "source", "db"])
def test_what_names_a_login_must_be_a_string(argument: str) -> None:
    for make in (Login, QStreamingClient.from_login, SyncQStreamingClient.from_login):
        with pytest.raises(q.QConfigurationError, match=f"login: {argument} must be a string"):
            make(**{argument: 3})  # type: ignore[operator]


@pytest.mark.parametrize("settings", [["store"], "store", 3])
def test_settings_are_a_dictionary(settings: Any) -> None:
    for make in (Login, QStreamingClient.from_login, SyncQStreamingClient.from_login):
        with pytest.raises(q.QConfigurationError, match="settings: must be a dictionary of strings"):
            make(settings=settings)
    for kind in CLIENTS:
        with pytest.raises(q.QConfigurationError, match="settings: must be a dictionary of strings"):
            kind("t", settings=settings)


@q.tool
def clock() -> str:
    """The time."""
    return "12:00"


@pytest.mark.parametrize("tools", [clock, "now", 3, {"name": "now"}])
def test_tools_that_are_no_list_are_an_error(tools: Any) -> None:
    with pytest.raises(q.QConfigurationError, match="tools: must be a list of functions"):
        Conversation(tools=tools)
    for kind in CLIENTS:
        for method in ("stream", "run_tools"):
            with pytest.raises(q.QConfigurationError, match="tools: must be a list of functions"):
                getattr(kind("t"), method)("x", tools=tools)


@pytest.mark.parametrize("rounds", [0, -1, "2", 1.5, None])
def test_rounds_are_a_number_from_1_on(rounds: Any) -> None:
    for kind in CLIENTS:
        with pytest.raises(q.QConfigurationError, match="max_rounds: must be a number from 1 on"):
            kind("t").run_tools("x", tools=[clock], max_rounds=rounds)


@pytest.mark.parametrize("results", [None, 3, q.ToolResult(tool_use_id="1", content=[])])
def test_results_of_tools_are_a_list(results: Any) -> None:
    with pytest.raises(q.QConfigurationError, match="tool results: must be a list of ToolResult"):
        Conversation().add_tool_results(results)


def test_results_of_tools_are_tool_results() -> None:
    with pytest.raises(q.QConfigurationError, match="tool results: .* not of str"):
        Conversation().add_tool_results(["done"])  # type: ignore[list-item]


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("timeout", [0, 0.0, httpx.Timeout(5.0, connect=0)])
def test_a_timeout_of_nothing_is_an_error(kind: Any, timeout: Any) -> None:
    with pytest.raises(q.QConfigurationError, match="timeout: .* above 0"):
        kind("t", timeout=timeout)
    for name, arguments in CALLS:
        with pytest.raises(q.QConfigurationError, match="timeout: .* above 0"):
            getattr(kind("t"), name)(**arguments, timeout=timeout)


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("wrong", [-1, 101, True, "2", 1.5])
def test_retries_are_a_number_from_0_to_100(kind: Any, wrong: Any) -> None:
    with pytest.raises(q.QConfigurationError, match="max_retries: must be 0 to 100"):
        kind("t", max_retries=wrong)
    for name, arguments in CALLS:
        with pytest.raises(q.QConfigurationError, match="max_retries: must be 0 to 100"):
            getattr(kind("t"), name)(**arguments, max_retries=wrong)


_STATE = q.ConversationState(
    current_message=q.UserInputMessage(content="x"), chat_trigger_type="MANUAL"
)


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize(
    ("method", "arguments", "text"),
    [
        ("stream", {"message": "x", "agent_mode": 5}, "agent_mode: .* string, not int"),
        ("send_message", {"message": "x", "source": 5}, "source: .* string, not int"),
        ("send_message", {"message": "x", "dry_run": "soon"}, "dry_run: .* boolean, .* not str"),
        (
            "generate_task_assist_plan",
            {"conversation_state": "x", "workspace_state": "y"},
            "conversation_state: .* ConversationState, not str",
        ),
        (
            "generate_task_assist_plan",
            {"conversation_state": _STATE, "workspace_state": {"uploadId": "u"}},
            r"workspace_state\.programmingLanguage: field required",
        ),
        ("export_result_archive", {"export_id": 1, "export_intent": "X"}, "export_id: .* not int"),
        ("export_result_archive", {"export_id": "1", "export_intent": 2}, "export_intent: .* not int"),
        ("iter_available_models", {"origin": 3}, "origin: .* not int"),
    ],
)
def test_an_argument_that_no_request_can_hold_is_an_error_at_once(
    kind: Any, method: str, arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(q.QConfigurationError, match=text):
        getattr(kind("t"), method)(**arguments)


def test_what_no_request_for_limits_can_hold_is_an_error() -> None:
    with pytest.raises(q.QConfigurationError, match="resource_type: .* not int"):
        SyncQStreamingClient("t").get_usage_limits(resource_type=3)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_a_closed_client_refuses_everything_at_once() -> None:
    client = QStreamingClient("t")
    await client.aclose()
    with pytest.raises(q.QClosedError, match="client: is closed"):
        async with client:
            pass
    for name, arguments in CALLS:
        with pytest.raises(q.QClosedError, match="client: is closed"):
            getattr(client, name)(**arguments)
    for name in AWAITED:
        with pytest.raises(q.QClosedError, match="client: is closed"):
            await getattr(client, name)()
    with pytest.raises(q.QClosedError, match="client: is closed"):
        client.run_tools("x", tools=[])


def test_a_closed_sync_client_refuses_everything_at_once() -> None:
    client = SyncQStreamingClient("t")
    client.close()
    with pytest.raises(q.QClosedError, match="client: is closed"):
        with client:
            pass
    for name, arguments in [*CALLS, *((name, {}) for name in AWAITED)]:
        with pytest.raises(q.QClosedError, match="client: is closed"):
            getattr(client, name)(**arguments)
    with pytest.raises(q.QClosedError, match="client: is closed"):
        client.run_tools("x", tools=[])


@pytest.mark.parametrize("client", ["My name is Ann.", 3, object()])
def test_a_conversation_says_what_it_takes_as_client(client: Any) -> None:
    with pytest.raises(q.QConfigurationError, match="must be a QStreamingClient or a SyncQ"):
        Conversation(client)


def test_a_model_is_named_by_its_id() -> None:
    model = q.models.Model(model_id="claude")
    with pytest.raises(q.QConfigurationError, match="not Model; pass its model_id"):
        SyncQStreamingClient("t").stream("x", model=model)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", CLIENTS)
def test_the_class_of_a_client_is_not_a_client(kind: Any) -> None:
    with pytest.raises(q.QConfigurationError, match=f"{kind.__name__} is the class"):
        Conversation(kind)


@pytest.mark.parametrize(
    "wrong", [{"id": 3}, {"model": 3}, {"max_messages": "2"}, {"max_messages": None}]
)
def test_what_a_conversation_cannot_be_made_with_is_named(wrong: Any) -> None:
    (name,) = wrong
    with pytest.raises(q.QConfigurationError, match=f"{name}: must be .* not "):
        Conversation(**wrong)


@pytest.mark.parametrize("history", ["My name is Ann.", b"x", 3, {}, q.UserInputMessage(content="x")])
def test_a_history_that_is_no_list_is_an_error(history: Any) -> None:
    with pytest.raises(q.QConfigurationError, match="history: must be a Conversation or a list"):
        Conversation(history=history)
    for kind in CLIENTS:
        with pytest.raises(q.QConfigurationError, match="history: must be a Conversation or a list"):
            kind("t").stream("x", history=history)


def test_both_clients_have_the_same_methods_with_the_same_keywords() -> None:
    def methods(kind: Any) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(value).parameters)
            for name, value in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_") and name not in ("close", "aclose")
        }

    assert methods(QStreamingClient) == methods(SyncQStreamingClient)
    for name, keywords in methods(QStreamingClient).items():
        assert name == "run_tools" or {"timeout", "max_retries"} <= set(keywords), name
