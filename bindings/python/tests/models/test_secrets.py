# SPDX-License-Identifier: Apache-2.0
import pytest
from facts import SHAPES, STRUCTURES, entry_of, item_of, model
from pydantic import ValidationError

from amazon_q_streaming_client import models as m

WORD, NUMBER = "hush", 987654321
SECRET = {
    "string": WORD,
    "integer": NUMBER,
    "long": NUMBER,
    "double": NUMBER,
    "boolean": True,
    "document": {WORD: NUMBER},
    "blob": "aHVzaA==",
    "timestamp": NUMBER,
}


def full(type_name, hidden):
    """A wire value with every member; those that are sensitive, or within one, are recognisable."""
    if type_name in SECRET:
        return (
            SECRET[type_name]
            if hidden
            else {"string": "x", "document": {}, "blob": ""}.get(type_name, 1)
        )
    if item_of(type_name):
        return [full(item_of(type_name), hidden)]
    if entry_of(type_name):
        key, value = entry_of(type_name)
        return {full(key, hidden): full(value, hidden)}
    facts = SHAPES[type_name]
    if facts["kind"] == "enum":
        return WORD if hidden else facts["values"][0]
    values = [
        {m["wire"]: full(m["type"], hidden or m.get("sensitive") or facts.get("sensitive"))}
        for m in facts["members"].values()
    ]
    if facts["kind"] == "union":
        return values[-1]
    return {key: value for member in values for key, value in member.items()}


@pytest.mark.parametrize("shape", STRUCTURES)
def test_no_sensitive_member_is_shown(shape):
    read = model(shape).from_wire(full(shape, False))
    for shown in (repr(read), str(read), f"{read!r:>5}"):
        assert WORD not in shown
        assert str(NUMBER) not in shown


def test_the_members_that_are_not_sensitive_are_shown():
    use = m.ToolUseEvent(tool_use_id="t1", name="n", input="{}")
    assert repr(use) == "ToolUseEvent(tool_use_id='t1', name=..., input=...)"


def test_unknown_members_are_named_but_not_shown():
    assert repr(m.Span.from_wire({"start": 1, "key": WORD})) == "Span(start=1, key=...)"
    assert repr(m.UnknownUnionMember("new", WORD)) == "UnknownUnionMember(name='new')"


@pytest.mark.parametrize("value", [{"content": [WORD]}, {"content": WORD, "images": WORD}])
def test_an_error_does_not_show_the_value(value):
    with pytest.raises(ValidationError) as caught:
        m.UserInputMessage.from_wire(value)
    assert WORD not in str(caught.value)
