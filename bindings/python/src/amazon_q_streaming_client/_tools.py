# SPDX-License-Identifier: Apache-2.0
"""Tools: functions that the model may ask to be called."""

from __future__ import annotations

import functools
import inspect
import json
import logging
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Optional, TypeVar, Union, overload

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_jsonable_python
from typing_extensions import TypeAlias

from ._answer import ToolRequest
from ._errors import QConfigurationError
from ._history import error_result
from .models import (
    CachePoint,
    Tool,
    ToolInputSchema,
    ToolResult,
    ToolResultContentBlockJson,
    ToolResultContentBlockText,
    ToolResultStatus,
    ToolSpecification,
    UnknownUnionMember,
)

__all__ = ["AnyTool", "FunctionTool", "ToolError", "ToolOutcome", "tool"]

log = logging.getLogger("amazon_q_streaming_client")

NAME_BYTES_MAX = 64
DESCRIPTION_BYTES_MAX = 10_004

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_MARK = "__amazon_q_tool__"  # attribute of a decorated function: its FunctionTool

Function = TypeVar("Function", bound=Callable[..., Any])


class ToolError(Exception):
    """Raise it in a tool to choose what the model is told of the failure."""


class FunctionTool:
    """A function as the service and the model see it.

    name: of the tool; without one, the function's.
    description: what the model is told; without one, the docstring up to the arguments.

    The schema of the arguments comes from the type hints, as pydantic understands them, and from
    the docstring (Google's and Sphinx's styles). It is made on first use, so that hints may name
    what is defined later.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: Optional[str] = None,
        description: Optional[str] = None,
    ) -> None:
        if not callable(function):
            raise QConfigurationError(f"tool: must be a function, not {type(function).__name__}")
        said, self._documented = _parse_docstring(inspect.getdoc(function) or "")
        self.function = function
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self.description = description or said
        self._check()

    def _check(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.name) > NAME_BYTES_MAX:
            raise QConfigurationError(
                f"tool {self.name!r}: the name must be at most {NAME_BYTES_MAX} letters, digits "
                "and underscores, a letter first; pass name="
            )
        if not self.description.strip():
            raise QConfigurationError(
                f"tool {self.name!r}: has no description, write a docstring or pass description="
            )
        if len(self.description.encode()) > DESCRIPTION_BYTES_MAX:
            raise QConfigurationError(
                f"tool {self.name!r}: the description is longer than {DESCRIPTION_BYTES_MAX} "
                "bytes, make it shorter"
            )

    def __repr__(self) -> str:
        return f"<FunctionTool {self.name}>"

    @property
    def is_async(self) -> bool:
        """To be awaited."""
        call = getattr(self.function, "__call__", None)  # noqa: B004
        return inspect.iscoroutinefunction(self.function) or inspect.iscoroutinefunction(call)

    @functools.cached_property
    def specification(self) -> ToolSpecification:
        """What the service is told. Raises QConfigurationError for hints that make no schema."""
        try:
            schema = self._arguments.json_schema(schema_generator=_Schema)
        except Exception as error:  # pydantic has many, of several families
            raise self._unclear(error) from None
        schema = _without_titles(schema)
        for name, text in self._documented.items():
            if name in schema["properties"]:
                schema["properties"][name]["description"] = text
        return ToolSpecification(
            name=self.name,
            description=self.description,
            input_schema=ToolInputSchema(json_=schema),
        )

    def arguments(self, input: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments in the types of the hints. Raises pydantic.ValidationError."""
        arguments: dict[str, Any] = self._arguments.validate_json(json.dumps(input))
        return arguments

    @functools.cached_property
    def _arguments(self) -> TypeAdapter[Any]:
        function = inspect.unwrap(self.function)
        while isinstance(function, functools.partial):
            function = function.func
        if not inspect.isroutine(function):
            function = type(function).__call__
        try:
            hints = typing.get_type_hints(function, include_extras=True)
            parameters = [
                self._parameter(parameter, hints)
                for parameter in inspect.signature(self.function).parameters.values()
            ]
            collector: Any = _collector(parameters)
            return TypeAdapter(collector)
        except QConfigurationError:
            raise
        except Exception as error:
            raise self._unclear(error) from None

    def _parameter(self, parameter: inspect.Parameter, hints: dict[str, Any]) -> inspect.Parameter:
        name = parameter.name
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise QConfigurationError(
                f"tool {self.name!r}: {parameter} cannot be passed by its name, give it one"
            )
        if name not in hints:
            raise QConfigurationError(
                f"tool {self.name!r}: argument {name!r} has no type hint, add one"
            )
        described = _description(hints[name])
        if described is not None:
            self._documented[name] = described
        return parameter.replace(annotation=hints[name], kind=parameter.KEYWORD_ONLY)

    def _unclear(self, error: Exception) -> QConfigurationError:
        return QConfigurationError(
            f"tool {self.name!r}: no JSON Schema can be made of its type hints, change them: "
            f"{error}"
        )


@overload
def tool(function: Function) -> Function: ...


@overload
def tool(
    *, name: Optional[str] = None, description: Optional[str] = None
) -> Callable[[Function], Function]: ...


def tool(
    function: Optional[Function] = None,
    *,
    name: Optional[str] = None,
    description: Optional[str] = None,
) -> Any:
    """Make a function a tool: `tools=[function]` then takes it. The function stays what it is.

        @tool
        def weather(city: str, days: int = 1) -> str:
            \"\"\"The weather forecast of a city.

            Args:
                city: its name, in English.
                days: how many, from today.
            \"\"\"

    name, description: as for FunctionTool.
    """

    def mark(function: Function) -> Function:
        setattr(function, _MARK, FunctionTool(function, name=name, description=description))
        return function

    return mark if function is None else mark(function)


AnyTool: TypeAlias = Union[
    Callable[..., Any], FunctionTool, ToolSpecification, CachePoint, Mapping[str, Any]
]
"""What `tools=` takes: decorated functions, FunctionTools, the service's shapes, and dictionaries
with name, description and inputSchema, or as the service's JSON."""


def function_tool(item: object) -> Optional[FunctionTool]:
    """The tool that a decorated function or method is."""
    if isinstance(item, FunctionTool):
        return item
    found = getattr(item, _MARK, None)
    if not isinstance(found, FunctionTool):
        return None
    if found.function is item or not inspect.ismethod(item):
        return found
    return FunctionTool(item, name=found.name, description=found.description)


def list_tools(tools: Iterable[AnyTool]) -> list[AnyTool]:
    """The tools that were passed, one by one."""
    if isinstance(tools, (str, Mapping)) or not isinstance(tools, Iterable):
        raise QConfigurationError(
            "tools: must be a list of functions with @tool or of ToolSpecifications, not "
            f"{type(tools).__name__}; put a single one into a list"
        )
    return list(tools)


def tool_models(tools: Optional[Iterable[AnyTool]]) -> list[Any]:
    """The service's shapes for these tools (members of `models.Tool`)."""
    models = [_tool_model(item) for item in list_tools(tools or ())]
    names: set[str] = set()
    for model in models:
        if isinstance(model, ToolSpecification):
            if model.name in names:
                raise QConfigurationError(
                    f"tools: two have the name {model.name!r}, rename one with @tool(name=...)"
                )
            names.add(model.name)
    return models


def _tool_model(item: object) -> Any:
    known = function_tool(item)
    if known is not None:
        return known.specification
    if isinstance(item, (ToolSpecification, CachePoint, UnknownUnionMember)):
        return item
    if isinstance(item, Mapping):
        try:
            return _read_tool(
                {"toolSpecification": _wrapped(item)} if "name" in item else dict(item)
            )
        except ValidationError:
            raise QConfigurationError(
                "tools: a dictionary needs name, description and inputSchema"
            ) from None
    if callable(item):
        name = getattr(item, "__name__", type(item).__name__)
        raise QConfigurationError(f"tools: {name!r} is a plain function, decorate it with @tool")
    raise QConfigurationError(
        f"tools: must be functions with @tool or ToolSpecifications, not {type(item).__name__}"
    )


_read_tool = TypeAdapter[Any](Tool).validate_python


def _wrapped(item: Mapping[str, Any]) -> dict[str, Any]:
    """With the schema in its envelope, which other services do without."""
    known = dict(item)
    for key in ("inputSchema", "input_schema"):
        schema = known.get(key)
        if isinstance(schema, Mapping) and not {"json", "json_"} & set(schema):
            known[key] = {"json": schema}
    return known


# ---- from a signature to a schema ----


def _collector(parameters: list[inspect.Parameter]) -> Callable[..., dict[str, Any]]:
    """A function with these parameters that returns its arguments, for pydantic to look at."""

    def arguments(**given: Any) -> dict[str, Any]:
        return given

    arguments.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    arguments.__annotations__ = {item.name: item.annotation for item in parameters}
    return arguments


def _description(hint: Any) -> Optional[str]:
    """What Annotated says of an argument."""
    metadata = typing.get_args(hint)[1:] if typing.get_origin(hint) is Annotated else ()
    for item in metadata:
        said = item.description if isinstance(item, FieldInfo) else item
        if isinstance(said, str):
            return said
    return None


class _Schema(GenerateJsonSchema):
    def emit_warning(self, kind: Any, detail: str) -> None:
        """Nothing: a default that JSON cannot write is not mentioned, and that is all."""


def _without_titles(schema: Any) -> Any:
    """Without the titles that pydantic makes of names: they say nothing, and each costs tokens."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _without_titles(item) for name, item in value.items()}
        if key in ("properties", "$defs")
        else _without_titles(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }


_SECTION = re.compile(
    r"^(Args|Arguments|Parameters):[ \t]*\n(?P<body>(?:[ \t]+.*\n?|[ \t]*\n)*)", re.M
)
_ARGUMENT = re.compile(r"^\*{0,2}(?P<name>\w+)[ \t]*(?:\([^)]*\))?:[ \t]*(?P<text>.*)$")
_FIELD = re.compile(
    r"^:param(?:[ \t]+[^:]*?)?[ \t]+(?P<name>\w+):[ \t]*(?P<text>.*(?:\n[ \t]+.*)*)\n?", re.M
)
_OTHER_FIELD = re.compile(r"^:(?:type|returns?|rtype|raises?)\b.*(?:\n[ \t]+.*)*\n?", re.M)


def _parse_docstring(text: str) -> tuple[str, dict[str, str]]:
    """What it says of the function, and of each argument."""
    documented: dict[str, str] = {}
    section = _SECTION.search(text + "\n")
    if section is not None:
        name = ""
        for line in inspect.cleandoc(section["body"]).splitlines():
            found = None if line.startswith((" ", "\t")) else _ARGUMENT.match(line)
            if found is not None:
                name = found["name"]
                documented[name] = found["text"].strip()
            elif name and line.strip():
                documented[name] = f"{documented[name]} {line.strip()}".strip()
        text = text[: section.start()] + text[section.end() :]
    for field_ in _FIELD.finditer(text):
        documented[field_["name"]] = " ".join(field_["text"].split())
    text = _OTHER_FIELD.sub("", _FIELD.sub("", text))
    return text.strip(), documented


# ---- to run one ----


@dataclass(frozen=True)
class ToolOutcome:
    """A tool was run, or could not be: what the model asked for, and what it is told."""

    request: ToolRequest
    result: ToolResult
    exception: Optional[Exception] = field(default=None, repr=False)
    """What the tool raised, or what was wrong with its arguments."""

    @property
    def is_error(self) -> bool:
        return self.result.status == ToolResultStatus.ERROR


class Toolbox:
    """The tools of a run, by name."""

    def __init__(self, tools: Iterable[AnyTool], awaits: bool) -> None:
        self.tools = list_tools(tools)
        self._functions: dict[str, FunctionTool] = {}
        for item, model in zip(self.tools, tool_models(self.tools)):
            function = function_tool(item)
            if function is not None:
                if function.is_async and not awaits:
                    raise QConfigurationError(
                        f"tool {function.name!r}: is async, use QStreamingClient to run it"
                    )
                self._functions[function.name] = function
            elif isinstance(model, ToolSpecification):
                raise QConfigurationError(
                    f"tool {model.name!r}: has no function to run, pass one with @tool"
                )

    def find(self, request: ToolRequest) -> tuple[FunctionTool, dict[str, Any]]:
        """What to call. Raises what `failed` makes an outcome of."""
        function = self._functions.get(request.name)
        if function is None:
            raise ToolError(f"There is no tool named {request.name!r}.")
        if request.error is not None:
            raise ToolError(f"The tool was not run: {request.error}.")
        try:
            return function, function.arguments(request.input)
        except ValidationError as error:
            raise _InvalidArguments(_explain(error)) from error


class _InvalidArguments(ToolError):
    """What the model passed is not what the tool takes."""


def _explain(error: ValidationError) -> str:
    """What is wrong with which argument."""
    lines = [
        f"{'.'.join(str(part) for part in item['loc']) or 'arguments'}: {item['msg']}"
        for item in error.errors(include_url=False, include_context=False)
    ]
    return "The tool was not run, its arguments are not valid. " + "; ".join(lines)


def succeeded(request: ToolRequest, value: object) -> ToolOutcome:
    """The outcome of a tool that returned this. Raises what cannot be written as JSON."""
    result = ToolResult(
        tool_use_id=request.tool_use_id,
        content=_content(value),
        status=ToolResultStatus.SUCCESS,
    )
    return ToolOutcome(request, result)


def failed(request: ToolRequest, error: Exception) -> ToolOutcome:
    """The outcome of a tool that raised this: the model sees no traceback."""
    text = str(error) if isinstance(error, ToolError) else f"{type(error).__name__}: {error}"
    log.info("tool %s failed: %s", request.name, type(error).__name__)
    cause = error.__cause__ if isinstance(error, _InvalidArguments) else error
    assert isinstance(cause, Exception)
    return ToolOutcome(request, error_result(request.tool_use_id, _clean(text)), cause)


def _content(value: object) -> list[Any]:
    """Text for text, an object for what has members, else JSON as text."""
    if isinstance(value, (ToolResultContentBlockJson, ToolResultContentBlockText)):
        return [value]
    if (
        isinstance(value, list)
        and value
        and all(
            isinstance(item, (ToolResultContentBlockJson, ToolResultContentBlockText))
            for item in value
        )
    ):
        return value
    if value is None:
        return [ToolResultContentBlockText(text="Done.")]
    plain = value if isinstance(value, str) else to_jsonable_python(value)
    if isinstance(plain, dict):
        return [ToolResultContentBlockJson(json_=json.loads(_clean(_dumps(plain))))]
    return [
        ToolResultContentBlockText(text=_clean(plain if isinstance(plain, str) else _dumps(plain)))
    ]


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _clean(text: str) -> str:
    """Text that UTF-8 can write: file names may hold halves of surrogate pairs."""
    return text.encode(errors="replace").decode()
