# SPDX-License-Identifier: Apache-2.0
"""The watch that every test is under finds what a package like this would leak."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from amazon_q_streaming_client import QAuthError, QConnectionError, QError
from watch import LOGGER, Watch


def found(leaks: Watch) -> list[str]:
    """What the watch has to say; it is content again."""
    said = leaks.found[:]
    leaks.found.clear()
    return said


def test_a_token_in_the_log_is_found_at_any_level(leaks: Watch, token: str) -> None:
    LOGGER.debug("sending %s", token)
    LOGGER.error("sending %r", base64.b64encode(token.encode()))
    assert found(leaks) == ["the log: sending %s", "the log: sending %r"]


def test_a_token_in_a_logged_exception_is_found(leaks: Watch, token: str) -> None:
    try:
        raise ValueError(token)
    except ValueError:
        LOGGER.warning("failed", exc_info=True)
    assert found(leaks) == ["the log: failed"]


def test_a_token_in_an_error_of_the_package_is_found_though_nobody_looks(
    leaks: Watch, token: str
) -> None:
    QAuthError(f"token {token}: rejected")
    assert found(leaks) == ["an exception: QAuthError"]


def test_a_token_in_what_led_to_an_error_is_found(leaks: Watch, token: str) -> None:
    def leak() -> None:
        try:
            raise OSError(token)
        except OSError as error:
            raise QConnectionError("no connection") from error

    with pytest.raises(QError):
        leak()
    assert found(leaks) == ["an exception: OSError", "an exception: QConnectionError"]


def test_a_token_in_any_exception_that_a_test_expects_is_found(leaks: Watch, token: str) -> None:
    with pytest.raises(KeyError):
        raise KeyError(token)
    assert found(leaks) == ["an exception: KeyError"]


def test_a_token_in_a_file_is_found(leaks: Watch, token: str, home: Path) -> None:
    path = home / "left"
    path.write_text(token)
    with pytest.raises(AssertionError):
        leaks.end(home)
    path.unlink()
    assert found(leaks) == [f"the file {path}"]


def test_what_the_package_says_of_a_rejected_token_holds_none(
    leaks: Watch, sync_client: Any, endpoints: Any
) -> None:
    """So that the tests above are about the log and the errors of the package."""
    seen: list[str] = []
    leaks.look = lambda text, where: seen.append(where)  # type: ignore[method-assign]
    endpoints.reset(logins=True)
    with pytest.raises(QAuthError):
        list(sync_client.generate_assistant_response("hello"))
    assert any(where.startswith("the log") for where in seen)
    assert "an exception: QTokenRejected" in seen
