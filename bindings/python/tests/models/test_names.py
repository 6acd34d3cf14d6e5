# SPDX-License-Identifier: Apache-2.0
import pytest
from facts import ENUMS, FACTS, OPERATIONS, RUNTIME, SHAPES, STREAMING, STRUCTURES, model

from amazon_q_streaming_client import models


def test_all_134_streaming_shapes_are_there():
    assert len(STREAMING) == 134
    assert set(STREAMING) <= set(models.__all__)


def test_all_54_shapes_of_the_other_operations_are_there():
    shared = FACTS["runtime"]["sharedShapes"]
    assert len(RUNTIME) + len(shared) == 54
    assert set(shared) <= set(STREAMING)
    assert set(RUNTIME) <= set(models.__all__)


def test_every_operation_has_a_request_and_a_response():
    assert len(OPERATIONS) == 9
    for name in OPERATIONS:
        assert {f"{name}Request", f"{name}Response"} <= set(models.__all__)


def test_every_exported_name_can_be_had_and_is_listed():
    assert len(set(models.__all__)) == len(models.__all__)
    for name in models.__all__:
        assert getattr(models, name) is getattr(models, name)
    assert set(models.__all__) <= set(dir(models))
    with pytest.raises(AttributeError, match="NoSuchShape"):
        _ = models.NoSuchShape


@pytest.mark.parametrize("shape", STRUCTURES)
def test_a_shape_has_the_members_of_the_service(shape):
    model(shape).model_rebuild()
    fields = model(shape).model_fields
    for name, facts in SHAPES[shape]["members"].items():
        field = fields[name] if name in fields else fields[name + "_"]
        alias = facts["wire"]
        assert alias == (field.validation_alias or field.alias)
        assert alias == (field.serialization_alias or field.alias)
        assert field.is_required() == facts.get("required", False)
        assert field.repr != facts.get("sensitive", False)
    assert len(fields) == len(SHAPES[shape]["members"])


@pytest.mark.parametrize("enum", ENUMS)
def test_an_enum_has_the_values_of_the_service(enum):
    values = SHAPES[enum]["values"] + SHAPES[enum].get("newer", [])
    assert [constant.value for constant in model(enum)] == values


@pytest.mark.parametrize("shape", STRUCTURES)
def test_a_shape_describes_itself_as_json_schema(shape):
    assert model(shape).model_json_schema()["type"] == "object"
