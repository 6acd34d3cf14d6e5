# SPDX-License-Identifier: Apache-2.0
"""The tree of errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import amazon_q_streaming_client as q
from amazon_q_streaming_client import _errors
from amazon_q_streaming_client._answer import Accumulator


@pytest.mark.parametrize("kind", [getattr(q, name) for name in _errors.__all__])
def test_every_error_survives_pickling_and_copying_with_its_attributes(kind: Any) -> None:
    error = kind("service: does not want to")
    error.status, error.code, error.reason, error.request_id = 429, "Code", "REASON", "rid"
    error.is_retry_safe = True
    error.partial = Accumulator().message(complete=False, request_id="rid")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is kind and str(other) == str(error)
        assert vars(other) == vars(error)
