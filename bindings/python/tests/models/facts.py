# SPDX-License-Identifier: Apache-2.0
"""The facts that the models are made from, as the tests read them: without the generator."""

import json
import pathlib
import re

from amazon_q_streaming_client import models

ROOT = pathlib.Path(__file__).resolve().parents[4]
FACTS = json.loads((ROOT / "bindings/python/model/service-model.json").read_text(encoding="utf-8"))
STREAMING = FACTS["streaming"]["shapes"]
RUNTIME = FACTS["runtime"]["shapes"]
SHAPES = {**STREAMING, **RUNTIME, **FACTS["added"]}
OPERATIONS = {**FACTS["streaming"]["operations"], **FACTS["runtime"]["operations"]}

for _name, _operation in OPERATIONS.items():
    for _part, _suffix, _direction in (
        ("input", "Request", "request"),
        ("output", "Response", "response"),
    ):
        _members = {
            name: {**m, "type": f"list<{m['type']}>"} if m.get("payload") else m
            for name, m in _operation[_part]["members"].items()
        }
        SHAPES[_name + _suffix] = {
            "kind": "structure",
            "direction": _direction,
            "members": _members,
        }

STRUCTURES = sorted(n for n, facts in SHAPES.items() if facts["kind"] in ("structure", "error"))
UNIONS = sorted(n for n, facts in SHAPES.items() if facts["kind"] == "union")
ENUMS = sorted(n for n, facts in SHAPES.items() if facts["kind"] == "enum")


def item_of(type_name):
    """T of list<T>, else None."""
    match = re.fullmatch(r"list<(.+)>", type_name)
    return match.group(1) if match else None


def entry_of(type_name):
    """K and V of map<K,V>, else None."""
    match = re.fullmatch(r"map<([^,]+),(.+)>", type_name)
    return match.groups() if match else None


def required(shape):
    return [m for m in SHAPES[shape]["members"].values() if m.get("required")]


def model(shape):
    return getattr(models, shape)
