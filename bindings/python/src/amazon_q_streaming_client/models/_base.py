# SPDX-License-Identifier: Apache-2.0
"""What all shapes have in common: names, absent and unknown things, bytes, times, unions."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Optional,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema
from typing_extensions import Self, TypeAlias

# Any JSON value. None is absent, here as everywhere.
Document: TypeAlias = Any


def wire_name(name: str) -> str:
    """The member's name in JSON: conversation_id is conversationId, json_ is json."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part.capitalize() for part in rest)


def _decode_blob(value: Any) -> Any:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _encode_blob(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


# bytes in Python, base64 text in JSON.
Blob = Annotated[
    bytes,
    BeforeValidator(_decode_blob),
    PlainSerializer(_encode_blob, return_type=str, when_used="json"),
]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _decode_timestamp(value: Any) -> Any:
    # Not left to pydantic, which takes large numbers for milliseconds.
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return _EPOCH + timedelta(seconds=value)
        except (OverflowError, ValueError):
            raise ValueError("the time is out of range") from None
    return value


def _encode_timestamp(value: datetime) -> Union[int, float]:
    seconds = (value - _EPOCH) / timedelta(seconds=1)
    return int(seconds) if seconds.is_integer() else seconds


# A datetime that knows its zone in Python, seconds since 1970 in JSON.
Timestamp = Annotated[
    AwareDatetime,
    BeforeValidator(_decode_timestamp),
    PlainSerializer(_encode_timestamp, return_type=Union[int, float], when_used="json"),
]


class OpenEnum(str, Enum):
    """The values that are known today; each is equal to its string."""

    def __str__(self) -> str:
        return str(self.value)


_E = TypeVar("_E", bound=OpenEnum)


class _KnownFirst:
    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        known = {constant.value: constant for constant in get_args(source)[0]}
        return core_schema.no_info_after_validator_function(
            lambda value: known.get(value, value),
            core_schema.str_schema(),
            serialization=core_schema.to_string_ser_schema(when_used="json"),
        )


# Where an enum is expected: a known value is read as its constant, any other stays a string.
Open = Annotated[Union[_E, str], _KnownFirst()]


class _Hidden:
    def __repr__(self) -> str:
        return "..."


_HIDDEN = _Hidden()

# pydantic builds a deferred class on first use, but does not expect two threads at it.
_build_lock = threading.RLock()


class Shape(BaseModel):
    """A structure of the service's model.

    Members are attributes in snake_case; None means absent. Members that this version does not
    know are kept and written back. Values that may be private are not shown by repr().
    """

    model_config = ConfigDict(
        alias_generator=wire_name,
        populate_by_name=True,
        extra="allow",
        protected_namespaces=(),
        hide_input_in_errors=True,
        defer_build=True,
    )

    @classmethod
    def from_wire(cls, data: Union[Mapping[str, Any], bytes, str]) -> Self:
        """Read JSON text, or the object it decodes to, as the service means it.

        null is absent, and a required member that the service left out is empty, zero or unknown.
        Raises ValueError for what is not JSON; pydantic.ValidationError, which is one too, for
        what does not fit.
        """
        if not isinstance(data, (bytes, str)):
            return cls.model_validate(mend(cls, data))
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            return cls.model_validate(mend(cls, read_json(data)))

    def to_wire(self) -> dict[str, Any]:
        """The object to send: wire names, nothing that is absent, only what JSON has."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_wire_json(self) -> bytes:
        """The same as JSON text in UTF-8."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()

    def __repr_args__(self) -> Iterator[tuple[Optional[str], Any]]:
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if value is not None:
                yield name, value if info.repr else _HIDDEN
        for name in self.model_extra or ():
            yield name, _HIDDEN

    @classmethod
    def model_rebuild(cls, **options: Any) -> Optional[bool]:
        with _build_lock:
            return super().model_rebuild(**options)


class ResponseShape(Shape):
    """A shape that the service writes: from_wire() substitutes required members it left out."""


class EventShape(ResponseShape):
    """A shape that is one event of an answer."""

    event_type: ClassVar[str]  # its name on the wire

    if not TYPE_CHECKING:  # as in BaseModel: checkers shall still know which attributes there are

        def __getattr__(self, name: str) -> Any:
            """What pydantic keeps beside the members, for an event that was made without it.

            Events come by the thousand, and few are asked for this: text_event() fills __dict__
            alone, which takes half the time and half the memory.
            """
            if name not in BaseModel.__slots__:
                return super().__getattr__(name)
            value = None
            if name == "__pydantic_extra__":
                value = {}
            elif name == "__pydantic_fields_set__":
                value = {key for key, item in self.__dict__.items() if item is not None}
            object.__setattr__(self, name, value)
            return value


class Variant(Shape):
    """A member of a union that is not a structure of its own: an object with this one key."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class UnknownUnionMember:
    """A member of a union that this version does not know. Without a name: no member at all."""

    name: str = ""
    value: Any = field(default=None, repr=False)


_UNKNOWN = ""


class OpenUnion:
    """Makes a Union of Python types the JSON object with one key that it is on the wire.

    It annotates the Union and names its members: a structure is what its key holds, a Variant is
    the object itself, and any other key is an UnknownUnionMember.
    """

    def __init__(self, **members: type[Shape]) -> None:
        self._names = {shape: name for name, shape in members.items()}
        self._shapes = {
            key: shape for name, shape in members.items() for key in (name, wire_name(name))
        }

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        choices: dict[str, CoreSchema] = {
            wire_name(name): core_schema.no_info_before_validator_function(
                self._content, handler.generate_schema(shape)
            )
            for shape, name in self._names.items()
        }
        choices[_UNKNOWN] = core_schema.no_info_plain_validator_function(self._unknown)
        return core_schema.tagged_union_schema(
            choices,
            discriminator=self._tag,
            custom_error_type="union",
            custom_error_message="Input should be a member of the union, or an object with one key",
            serialization=core_schema.wrap_serializer_function_ser_schema(
                self._write, info_arg=True
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        choices: list[JsonSchemaValue] = [{"type": "object", "maxProperties": 1}]  # unknown ones
        for shape, name in self._names.items():
            key = wire_name(name)
            content = handler(schema["choices"][key])
            if not issubclass(shape, Variant):
                content = {"type": "object", "properties": {key: content}, "required": [key]}
            choices.append(content)
        return {"anyOf": choices}

    def _tag(self, value: Any) -> Optional[str]:
        if isinstance(value, UnknownUnionMember):
            return _UNKNOWN
        if isinstance(value, dict):
            key = _only_key(value)
            if key is None:
                return None
            return wire_name(self._name(self._shapes[key])) if key in self._shapes else _UNKNOWN
        name = self._name(type(value))
        return wire_name(name) if name else None

    def _name(self, shape: type) -> str:
        return next((self._names[c] for c in shape.__mro__ if c in self._names), "")

    def _content(self, value: Any) -> Any:
        """What the member's class reads."""
        key = _only_key(value) if isinstance(value, dict) else None
        if key is None:
            return value
        return {key: value[key]} if issubclass(self._shapes[key], Variant) else value[key]

    def _unknown(self, value: Any) -> Any:
        key = _only_key(value) if isinstance(value, dict) else None
        return value if key is None else UnknownUnionMember(key, value[key])

    def _write(
        self, value: Any, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> Any:
        if isinstance(value, UnknownUnionMember):
            return {value.name: value.value} if value.name else {}
        content = handler(value)
        if isinstance(value, Variant):
            return content
        name = self._name(type(value))
        return {wire_name(name) if info.by_alias else name: content}

    def mend(self, value: Any) -> Any:
        """As mend() below, for a value of this union."""
        if value is None or (isinstance(value, dict) and not _keys(value)):
            return UnknownUnionMember()
        key = _only_key(value) if isinstance(value, dict) else None
        if key is None or key not in self._shapes:
            return value
        shape = self._shapes[key]
        if issubclass(shape, Variant):
            return mend(shape, {key: value[key]})
        return {key: mend(shape, value[key])}


def _keys(value: dict[str, Any]) -> list[str]:
    return [key for key in value if key != "__type" and value[key] is not None]


def _only_key(value: dict[str, Any]) -> Optional[str]:
    keys = _keys(value)
    return keys[0] if len(keys) == 1 else None


def mend(kind: Any, value: Any, metadata: Sequence[Any] = ()) -> Any:
    """The value without nulls, and with the required members that the service left out.

    Those, and None itself, become what is empty, zero or unknown of their kind (an annotation).
    """
    if get_origin(kind) is Annotated:
        kind, *metadata = get_args(kind)
    for mark in metadata:
        if isinstance(mark, OpenUnion):
            return mark.mend(value)
    origin: Any = get_origin(kind)
    arguments = get_args(kind)
    if origin is Union and type(None) in arguments:
        return None if value is None else mend(arguments[0], value)
    if value is None and not _is_shape(kind):
        empty: Any = origin or kind
        return "" if empty is Union else empty()  # a Union is an enum that is open
    if origin is list and isinstance(value, list):
        return [mend(arguments[0], item) for item in value if item is not None]
    if origin is dict and isinstance(value, dict):
        return {k: mend(arguments[1], item) for k, item in value.items() if item is not None}
    if _is_shape(kind) and (value is None or isinstance(value, Mapping)):
        members = {key: item for key, item in (value or {}).items() if item is not None}
        for name, info in kind.model_fields.items():
            # Older versions of pydantic derive the alias when they build the class.
            key = name if name in members else str(info.validation_alias or wire_name(name))
            required = info.is_required() and issubclass(kind, ResponseShape)
            if key in members or required:
                members[key] = mend(info.annotation, members.get(key), info.metadata)
        return members
    return value


def _is_shape(kind: Any) -> bool:
    # Until Python 3.10, list[str] is a type too.
    return get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, Shape)


# One escape in a JSON string; the last group is half of a pair without the other half.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u(?P<lone>[dD][89a-fA-F]..)|.)", re.DOTALL
)


def read_json(text: Union[bytes, str]) -> Any:
    """Decode JSON as the core does: half a surrogate pair is U+FFFD.

    Raises ValueError, which does not show the text.
    """
    try:
        text = text.decode("utf-8") if isinstance(text, bytes) else text
        text = _ESCAPE.sub(lambda m: r"\ufffd" if m.group("lone") else m.group(), text)
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("text: not JSON, pass what the service sent") from None
