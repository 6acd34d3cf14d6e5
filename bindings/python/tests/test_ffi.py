# SPDX-License-Identifier: Apache-2.0
"""What _ffi.py says of the library is what a C compiler says."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from amazon_q_streaming_client import _ffi as ffi

ROOT = Path(__file__).resolve().parents[3]
HEADERS = ROOT / "core" / "include"

STRUCTS = {
    "aq_str": ffi.Str,
    "aq_bytes": ffi.Str,
    "aq_error": ffi.Error,
    "aq_client_setting": ffi.ClientSetting,
    "aq_client_options": ffi.ClientOptions,
    "aq_token": ffi.Token,
    "aq_event": ffi.Event,
    "aq_profile": ffi.Profile,
    "aq_login_step": ffi.LoginStep,
    "aq_login_options": ffi.LoginOptions,
    "aq_token_options": ffi.TokenOptions,
    "aq_stream_options": ffi.StreamOptions,
    "aq_exchange_header": ffi.ExchangeHeader,
    "aq_exchange_options": ffi.ExchangeOptions,
    "aq_exchange_request": ffi.ExchangeRequest,
    "aq_exchange_fault": ffi.ExchangeFault,
    "aq_http_options": ffi.HttpOptions,
}
CONSTANTS = [
    name
    for name in vars(ffi)
    if re.match(r"(E|EVENT|CALL|CLIENT|LOGIN|TOKEN|ERROR)_[A-Z]|(OK|AGAIN|END)$", name)
]


def lines_of(struct: str, kind: type[ctypes.Structure]) -> list[str]:
    facts = [f"{struct} {ctypes.sizeof(kind)}"]
    for name, *_ in kind._fields_:
        field = getattr(kind, name)
        facts.append(f"{struct}.{name} {field.offset} {field.size}")
    return facts


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: Any) -> list[str]:
    """The same lines, printed by a C program."""
    folder = tmp_path_factory.mktemp("layout")
    lines = ["#include <amazonq/amazonq.h>", "#include <stddef.h>", "#include <stdio.h>", "int main(void) {"]
    for struct, kind in STRUCTS.items():
        lines.append(f'printf("{struct} %zu\\n", sizeof(struct {struct}));')
        for name, *_ in kind._fields_:
            lines.append(
                f'printf("{struct}.{name} %zu %zu\\n", offsetof(struct {struct}, {name}), '
                f"sizeof(((struct {struct} *)0)->{name}));"
            )
    lines += [f'printf("{name} %d\\n", (int)AQ_{name});' for name in CONSTANTS]
    source = folder / "layout.c"
    source.write_text("\n".join([*lines, "}", ""]))
    (folder / "amazonq").mkdir()
    (folder / "amazonq" / "version.h").write_text("")  # nothing of it is asked for
    compiler = shutil.which("cc")
    assert compiler, "cc: not found, install a C compiler"
    subprocess.run(
        [compiler, "-I", str(HEADERS), "-I", str(folder), "-o", str(folder / "layout"), str(source)],
        check=True,
    )
    return subprocess.run(
        [str(folder / "layout")], check=True, capture_output=True, text=True
    ).stdout.splitlines()


def test_every_struct_has_the_compilers_layout(compiled: list[str]) -> None:
    mine = [line for struct, kind in STRUCTS.items() for line in lines_of(struct, kind)]
    assert mine == compiled[: len(mine)]


def test_every_constant_has_the_headers_value(compiled: list[str]) -> None:
    assert len(CONSTANTS) > 50
    assert [f"{name} {getattr(ffi, name)}" for name in CONSTANTS] == compiled[-len(CONSTANTS) :]


def test_every_status_of_the_header_has_its_exception() -> None:
    from amazon_q_streaming_client._errors import _CLASSES

    text = (HEADERS / "amazonq" / "status.h").read_text()
    statuses = {int(n) for n in re.findall(r"#define AQ_E_\w+ \((-\d+)\)", text)}
    assert set(_CLASSES) | {ffi.E_NOMEM} == statuses


def test_a_directory_without_the_library_is_named() -> None:
    result = subprocess.run(
        [sys.executable, "-c", "import amazon_q_streaming_client._ffi"],
        env={**os.environ, "AQ_LIBRARY_DIR": "/nonexistent"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "ImportError: libamazonq: cannot be loaded from /nonexistent" in result.stderr
    assert "AQ_LIBRARY_DIR" in result.stderr
