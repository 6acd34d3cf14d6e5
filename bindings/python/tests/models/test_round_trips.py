# SPDX-License-Identifier: Apache-2.0
import base64
import json

import pytest
from facts import ENUMS, SHAPES, STRUCTURES, UNIONS, entry_of, item_of, model, required
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

# Any JSON value but null, which is absent at the top and a value below it.
JSON = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner | st.none(), max_size=3)
        | st.dictionaries(st.text(), inner | st.none(), max_size=3)
    ),
    max_leaves=5,
)
UNKNOWN_NAMES = st.text(max_size=5).map("unknown".__add__)
SIMPLE = {
    "string": st.text(max_size=20),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "blob": st.binary(max_size=9).map(lambda b: base64.b64encode(b).decode()),
    "timestamp": st.integers(-(2**31), 2**32) | st.integers(0, 2**41).map(lambda ms: ms / 1000),
    "document": JSON,
}
made = {}


def wire(name):
    """What JSON may hold for a type of the service's model, newer things included."""
    if name not in made:
        made[name] = make_wire(name)
    return made[name]


def make_wire(name):
    if name in SIMPLE:
        return SIMPLE[name]
    if item_of(name):
        return st.lists(wire(item_of(name)), max_size=2)
    if entry_of(name):
        key, value = entry_of(name)
        return st.dictionaries(wire(key), wire(value), max_size=2)
    facts = SHAPES[name]
    if facts["kind"] == "enum":
        return st.sampled_from(facts["values"]) | st.text(max_size=5)
    members = {m["wire"]: wire(m["type"]) for m in facts["members"].values()}
    if facts["kind"] == "union":
        known = [st.fixed_dictionaries({key: value}) for key, value in members.items()]
        return st.one_of(*known, st.dictionaries(UNKNOWN_NAMES, JSON, min_size=1, max_size=1))
    must = {m["wire"]: members.pop(m["wire"]) for m in required(name)}
    known = st.fixed_dictionaries(must, optional=members)
    return st.builds(
        lambda a, b: {**b, **a}, known, st.dictionaries(UNKNOWN_NAMES, JSON, max_size=1)
    )


@pytest.mark.parametrize("shape", STRUCTURES)
@settings(max_examples=8)
@given(data=st.data())
def test_what_is_read_is_written_back_with_all_that_is_unknown(shape, data):
    value = data.draw(wire(shape))
    read = model(shape).from_wire(value)
    assert read.to_wire() == value
    assert json.loads(read.to_wire_json()) == value

    assert model(shape).from_wire(json.dumps(value)) == read
    assert model(shape).from_wire(json.dumps(value).encode()) == read
    nulls = {m["wire"]: None for m in SHAPES[shape]["members"].values()}
    assert model(shape).from_wire({**nulls, **value}).to_wire() == value

    assert model(shape).from_wire(read.to_wire()) == read
    assert model(shape).model_validate(read.model_dump()) == read
    assert model(shape).model_validate(read.model_dump(by_alias=True)) == read
    assert model(shape)(**dict(read)) == read


@pytest.mark.parametrize("union", UNIONS)
@settings(max_examples=20)
@given(data=st.data())
def test_a_union_is_read_and_written_by_itself(union, data):
    value = data.draw(wire(union))
    adapter = TypeAdapter(model(union))
    read = adapter.validate_python(value)
    assert adapter.validate_json(json.dumps(value)) == read == adapter.validate_python(read)
    assert adapter.dump_python(read, mode="json", by_alias=True, exclude_none=True) == value


@pytest.mark.parametrize("enum", ENUMS)
def test_an_enum_value_is_its_string_everywhere(enum):
    for value in SHAPES[enum]["values"] + SHAPES[enum].get("newer", []):
        constant = model(enum)(value)
        assert constant == value
        assert str(constant) == f"{constant}" == value
        assert json.dumps(constant) == json.dumps(value)


@pytest.mark.parametrize("shape", [s for s in STRUCTURES if required(s)])
def test_building_by_hand_needs_the_required_members(shape):
    with pytest.raises(ValidationError):
        model(shape)()
    with pytest.raises(ValidationError):
        model(shape).model_validate({})


@pytest.mark.parametrize(
    "shape", [s for s in STRUCTURES if "response" in SHAPES[s]["direction"] and required(s)]
)
def test_what_the_service_left_out_is_empty_zero_or_unknown(shape):
    read = model(shape).from_wire(b"{}")
    assert read == model(shape).from_wire({m["wire"]: None for m in required(shape)})
    assert model(shape).from_wire(read.to_wire()) == read
    for name, facts in SHAPES[shape]["members"].items():
        value = read.to_wire().get(facts["wire"])
        if not facts.get("required"):
            assert value is None, name
        elif SHAPES.get(facts["type"], {}).get("kind") != "structure":
            assert value in ("", 0, [], {}), name


@pytest.mark.parametrize(
    "shape", [s for s in STRUCTURES if SHAPES[s]["direction"] == "request" and required(s)]
)
def test_a_request_is_not_filled_up(shape):
    with pytest.raises(ValidationError):
        model(shape).from_wire(b"{}")
