# SPDX-License-Identifier: Apache-2.0
"""@tool: from a function's type hints and docstring to what the model is told."""

from __future__ import annotations

import enum
import functools
from datetime import date
from typing import Annotated, Any, Literal, Optional, Union

import pydantic
import pytest
from pydantic import BaseModel, Field

import amazon_q_streaming_client as q
from amazon_q_streaming_client import FunctionTool, tool
from amazon_q_streaming_client._tools import function_tool


class Unit(enum.Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


class Place(BaseModel):
    """Somewhere."""

    title: str
    country: Optional[str] = None


@tool
def weather(
    city: str,
    days: int = 1,
    unit: Unit = Unit.CELSIUS,
    detail: Literal["short", "long"] = "short",
    until: Optional[date] = None,
) -> str:
    """The weather forecast of a city.

    Only for Europe.

    Args:
        city: its name,
            in English.
        days (int): how many, from today.
        until: the last day: inclusive

    Returns:
        A sentence.
    """
    return f"{city} {days} {unit.name} {detail} {until}"


def schema_of(function: Any) -> Any:
    known = function_tool(function)
    assert known is not None
    return known.specification.to_wire()["inputSchema"]["json"]


def test_a_function_becomes_a_specification() -> None:
    known = function_tool(weather)
    assert known is not None
    assert known.specification.to_wire() == {
        "name": "weather",
        "description": "The weather forecast of a city.\n\nOnly for Europe.\n\n"
        "Returns:\n    A sentence.",
        "inputSchema": {
            "json": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "its name, in English."},
                    "days": {
                        "type": "integer",
                        "default": 1,
                        "description": "how many, from today.",
                    },
                    "unit": {"$ref": "#/$defs/Unit", "default": "C"},
                    "detail": {"type": "string", "enum": ["short", "long"], "default": "short"},
                    "until": {
                        "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}],
                        "default": None,
                        "description": "the last day: inclusive",
                    },
                },
                "required": ["city"],
                "additionalProperties": False,
                "$defs": {"Unit": {"type": "string", "enum": ["C", "F"]}},
            }
        },
    }


def test_the_function_stays_what_it_is() -> None:
    assert weather("Oslo", 2) == "Oslo 2 CELSIUS short None"
    assert weather.__name__ == "weather"


def test_arguments_come_in_the_types_of_the_hints() -> None:
    known = function_tool(weather)
    assert known is not None
    given = {"city": "Oslo", "days": 3, "unit": "F", "until": "2030-01-02"}
    assert weather(**known.arguments(given)) == "Oslo 3 FAHRENHEIT short 2030-01-02"


@pytest.mark.parametrize(
    "given", [{}, {"city": 7}, {"city": "Oslo", "unit": "K"}, {"city": "Oslo", "other": 1}]
)
def test_arguments_that_do_not_fit_are_refused(given: Any) -> None:
    known = function_tool(weather)
    assert known is not None
    with pytest.raises(pydantic.ValidationError):
        known.arguments(given)


def test_descriptions_may_be_in_the_hints() -> None:
    @tool
    def find(
        text: Annotated[str, "what to look for"],
        limit: Annotated[int, Field(gt=0, description="how many")] = 10,
        *,
        title: str = "",
    ) -> list[str]:
        """Find it.

        Args:
            text: not this
            title: of the page
        """
        return []

    properties = schema_of(find)["properties"]
    assert properties["text"] == {"type": "string", "description": "what to look for"}
    assert properties["limit"] == {
        "type": "integer",
        "exclusiveMinimum": 0,
        "default": 10,
        "description": "how many",
    }
    assert properties["title"]["description"] == "of the page"


def test_sphinx_fields_describe_arguments_too() -> None:
    @tool
    def find(text: str, limit: int) -> str:
        """Find it.

        :param text: what to
            look for
        :param int limit: how many
        :returns: the page
        """
        return text

    known = function_tool(find)
    assert known is not None and known.description == "Find it."
    properties = schema_of(find)["properties"]
    assert properties["text"]["description"] == "what to look for"
    assert properties["limit"]["description"] == "how many"


def test_models_are_nested() -> None:
    @tool
    def visit(places: list[Place], how: Union[Place, None] = None) -> str:
        """Go there."""
        return "".join(place.title for place in places)

    schema = schema_of(visit)
    assert schema["properties"]["places"] == {
        "type": "array",
        "items": {"$ref": "#/$defs/Place"},
    }
    assert schema["$defs"]["Place"]["properties"]["title"] == {"type": "string"}
    known = function_tool(visit)
    assert known is not None
    assert visit(**known.arguments({"places": [{"title": "Oslo"}]})) == "Oslo"


def test_argument_names_are_free() -> None:
    @tool
    def odd(schema: str, model_config: int, copy: bool, _hidden: str, self: str = "") -> str:
        """Odd names."""
        return schema

    assert list(schema_of(odd)["properties"]) == [
        "schema",
        "model_config",
        "copy",
        "_hidden",
        "self",
    ]


def test_a_default_that_json_cannot_write_is_left_out() -> None:
    marker = object()

    @tool
    def odd(value: Any = marker) -> str:
        """Odd default."""
        return ""

    assert schema_of(odd)["properties"]["value"] == {}
    known = function_tool(odd)
    assert known is not None and known.arguments({}) == {"value": marker}


def test_name_and_description_can_be_given() -> None:
    @tool(name="forecast", description="What it will be like.")
    def function(city: str) -> str:
        """Not this."""
        return city

    known = function_tool(function)
    assert known is not None
    assert (known.name, known.description) == ("forecast", "What it will be like.")


def test_methods_callables_and_partial_functions_can_be_tools() -> None:
    class Station:
        def __init__(self, city: str) -> None:
            self.city = city

        @tool
        def forecast(self, days: int) -> str:
            """The forecast here."""
            return f"{self.city} {days}"

        def __call__(self, days: int) -> str:
            return self.forecast(days)

    station = Station("Oslo")
    assert list(schema_of(station.forecast)["properties"]) == ["days"]
    known = function_tool(station.forecast)
    assert known is not None and known.function(**known.arguments({"days": 2})) == "Oslo 2"
    called = FunctionTool(station, name="station", description="It.")
    assert list(schema_of(called)["properties"]) == ["days"]
    partial = FunctionTool(
        functools.partial(weather, unit=Unit.FAHRENHEIT), name="us", description="It."
    )
    assert partial.function(**partial.arguments({"city": "Austin"})).startswith("Austin 1 FAHR")


@pytest.mark.parametrize("name", ["1st", "with space", "ümlaut", "a" * 65, "dash-ed", "x\n"])
def test_a_name_that_the_service_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(q.QConfigurationError, match="the name must be at most 64 letters"):
        tool(name=name, description="It.")(takes_nothing)


def test_a_function_without_a_name_needs_one() -> None:
    with pytest.raises(q.QConfigurationError, match="tool '<lambda>': the name must be"):
        tool(description="It.")(lambda: "")


def test_a_tool_needs_a_description_that_is_not_too_long() -> None:
    def silent() -> str:
        return ""

    with pytest.raises(q.QConfigurationError, match="'silent': has no description, write"):
        tool(silent)
    tool(description="x" * 10_004)(silent)
    with pytest.raises(q.QConfigurationError, match="longer than 10004 bytes"):
        tool(description="x" * 10_003 + "é")(silent)


def no_hint(city) -> str:  # type: ignore[no-untyped-def]
    """It."""
    return ""


def positional(*cities: str) -> str:
    """It."""
    return ""


def unknown(city: Nonsense) -> str:  # type: ignore[name-defined]  # noqa: F821
    """It."""
    return ""


class Opaque:
    pass


def opaque(handle: Opaque) -> str:
    """It."""
    return ""


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (no_hint, "argument 'city' has no type hint, add one"),
        (positional, r"\*cities.* cannot be passed by its name"),
        (unknown, "no JSON Schema can be made of its type hints, change them: .*Nonsense"),
        (opaque, "no JSON Schema can be made of its type hints, change them"),
    ],
)
def test_hints_that_make_no_schema_are_refused_when_it_is_needed(
    function: Any, error: str, sync_client: Any
) -> None:
    marked = tool(function)
    with pytest.raises(q.QConfigurationError, match=f"tool '{function.__name__}': {error}"):
        sync_client.stream("hello", tools=[marked])


def test_a_tool_must_be_a_function() -> None:
    with pytest.raises(q.QConfigurationError, match="tool: must be a function, not int"):
        FunctionTool(7)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_every_operation_takes_functions(client: Any, service: Any) -> None:
    async with client:
        async for _ in client.generate_assistant_response("hello", tools=[weather]):
            pass
        async for _ in client.send_message("hello", tools=[weather, FunctionTool(takes_nothing)]):
            pass
    for operation, names in (
        ("GenerateAssistantResponse", ["weather"]),
        ("SendMessage", ["weather", "takes_nothing"]),
    ):
        (request,) = service.requests(operation)
        message = request["body"]["conversationState"]["currentMessage"]["userInputMessage"]
        tools = message["userInputMessageContext"]["tools"]
        assert [item["toolSpecification"]["name"] for item in tools] == names


def takes_nothing() -> str:
    """Takes nothing."""
    return ""
