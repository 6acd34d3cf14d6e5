# SPDX-License-Identifier: Apache-2.0
"""tools/check-abi refuses what it is there to refuse: each change is made in a copy of the headers."""
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(os.environ["AQ_SOURCE_DIR"])
TOOL = ROOT / "tools/check-abi"
COMPILER = tuple(os.environ.get("CC", "cc").split())
LIBRARY = os.environ["AQ_TEST_LIB"]
NEWEST = max((ROOT / "tests/abi/frozen").glob("minor-*"), key=lambda path: int(path.name[6:]))
MINOR = int(NEWEST.name[6:])


@pytest.fixture
def headers(tmp_path):
    """A copy of the newest headers that were published; they become those of today."""
    shutil.copytree(NEWEST, tmp_path / "include")
    shutil.copytree(ROOT / "tests/abi/frozen", tmp_path / "frozen")
    return tmp_path / "include"


@pytest.fixture(scope="session")
def tool():
    """The tool as a module: what was published is compiled once for all tests."""
    loader = importlib.machinery.SourceFileLoader("check_abi", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_abi", loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def published(tool):
    return tool.published(ROOT / "tests/abi/frozen")


def check(headers, *options):
    command = [sys.executable, TOOL, "--headers", headers, "--frozen",
               headers.parent / "frozen", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout


def edit(headers, name, before, after):
    path = headers / "amazonq" / name
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_headers_as_they_were_published_pass(headers):
    assert check(headers) == (0, "")


LAST_SLOT = "sink,\n                       struct aq_error *err);\n};"
NEW_SLOT = LAST_SLOT.replace("};", "\n    void (*rest)(void *self);\n};")
GROWN = ("store.h", LAST_SLOT, NEW_SLOT)


@pytest.mark.parametrize("name, before, after, complaint", [
    ("store.h", "uint32_t traits;", "uint64_t traits;", "'uint64_t traits' stands in the place of"),
    ("store.h", "    void (*close)(void *self);\n", "", "stands in the place of 'void (*close)(void *self)'"),
    ("store.h", "    void (*close)(void *self);", "    void (*rest)(void);\n    void (*close)(void *self);",
     "'void (*rest)(void)' stands in the place of 'void (*close)(void *self)'"),
    ("store.h", "void (*close)(void *self);", "int (*close)(void *self);", "stands in the place of"),
    ("status.h", "typedef int32_t aq_status;", "typedef int64_t aq_status;", "status was at 0 with 4 bytes"),
    ("status.h", "char text[496];", "char text[496];\n    char more[16];", "struct aq_error: has another size"),
    ("transport.h", "uint64_t\n        deadline_us;", "uint64_t deadline_us;\n    uint64_t rest;",
     "struct aq_interest: has another size"),
    ("status.h", "#define AQ_E_BUSY (-12)", "#define AQ_E_BUSY (-19)", "AQ_E_BUSY: was (-12), is (-19)"),
    ("plugin.h", "#define AQ_SETTING_PATH 4", "", "AQ_SETTING_PATH: was 4, is gone"),
    ("client.h", "AQ_API int aq_client_fd(", "AQ_API long aq_client_fd(",
     "aq_client_fd: is not declared as it was"),
    ("token.h", "int64_t expires_at_s;", "uint32_t expires_at_s;",
     "struct aq_token: 'uint32_t expires_at_s' stands"),
    ("plugin.h", f"ABI_MINOR {MINOR}u", f"ABI_MINOR {MINOR - 1}u", f"minor {MINOR}: was published"),
    (*GROWN, f"raise AQ_PLUGIN_ABI_MINOR to {MINOR + 1}"),
    ("plugin.h", "    uint32_t value_stride; /* bytes from one value to the next */\n    uint32_t reserved;",
     "    uint32_t value_stride;\n    uint32_t mode;", f"'uint32_t mode' is not in minor {MINOR} as it was"),
    ("plugin.h", "    uint32_t reserved;\n    const struct aq_setting_value", "    uint64_t mode;\n"
     "    const struct aq_setting_value", "'uint64_t mode' stands in the place of 'uint32_t reserved'"),
    ("plugin.h", "#define AQ_SETTING_PATH 4", "#define AQ_SETTING_PATH 4\n#define AQ_SETTING_REAL 5",
     f"AQ_SETTING_REAL: is not in minor {MINOR} as it was published; raise AQ_PLUGIN_ABI_MINOR to {MINOR + 1}"),
])
def test_a_change_of_what_was_published_is_refused_and_says_what_to_do(tool, published, headers, name, before,
                                                                       after, complaint):
    edit(headers, name, before, after)
    said = "\n".join(tool.check_headers(published, tool.Headers(headers), None, COMPILER))
    assert complaint in said
    assert re.search("put it back|take another number|leave this one|must stay|keep their size|nobody can tell|"
                     "never goes back|raise AQ_PLUGIN_ABI_MINOR", said)


def test_a_struct_that_the_guard_cannot_read_is_not_passed_over(headers):
    edit(headers, "store.h", "uint32_t traits;", "union { int a; } traits;")
    command = [sys.executable, TOOL, "--headers", headers, "--frozen", headers.parent / "frozen"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "store.h: cannot read struct aq_store_ops" in done.stderr


def test_what_is_refused_cannot_be_frozen(headers):
    edit(headers, *GROWN)
    before = {path: path.read_bytes() for path in (headers.parent / "frozen").rglob("*.h")}
    code, said = check(headers, "--freeze")
    assert code == 1 and f"raise AQ_PLUGIN_ABI_MINOR to {MINOR + 1}" in said
    assert before == {path: path.read_bytes() for path in (headers.parent / "frozen").rglob("*.h")}


def test_an_addition_with_a_new_minor_version_has_to_be_described_and_frozen(headers, tmp_path):
    edit(headers, *GROWN)
    edit(headers, "plugin.h", f"ABI_MINOR {MINOR}u", f"ABI_MINOR {MINOR + 1}u")
    page = tmp_path / "abi.md"
    page.write_text((ROOT / "docs/abi.md").read_text(encoding="utf-8"), encoding="utf-8")
    code, said = check(headers, "--docs", page)
    assert code == 1
    assert f"minor {MINOR + 1}: there are no headers of it" in said
    assert f"minor {MINOR + 1}: abi.md does not describe it" in said
    with page.open("a", encoding="utf-8") as file:
        file.write(f"\n### {MINOR + 1} (some day)\n")
    assert check(headers, "--docs", page, "--freeze") == (0, "")
    assert check(headers, "--docs", page) == (0, "")


def test_a_program_s_struct_that_knows_its_size_may_grow(tool, published, headers):
    edit(headers, "migrate.h", "uint32_t flags; /* AQ_MIGRATE_... */", "uint32_t flags;\n    uint64_t more;")
    assert not list(tool.check_headers(published, tool.Headers(headers), None, COMPILER))


def test_another_series_before_1_0_may_break_programs_but_not_plugins(tool, published, headers):
    edit(headers, "version.h", "AQ_VERSION_MINOR 1", "AQ_VERSION_MINOR 2")
    edit(headers, "client.h", "AQ_API int aq_client_fd(", "AQ_API long aq_client_fd(")
    assert not list(tool.check_headers(published, tool.Headers(headers), None, COMPILER))
    edit(headers, "store.h", "uint32_t traits;", "uint64_t traits;")
    assert list(tool.check_headers(published, tool.Headers(headers), None, COMPILER))


needs_abidiff = pytest.mark.skipif(not shutil.which("abidiff"), reason="needs abidiff (abigail-tools)")


@needs_abidiff
@pytest.mark.parametrize("name, before, after, complaint", [
    ("client.h", "AQ_API int aq_client_fd(", "AQ_API long aq_client_fd(", "return type changed"),
    ("status.h", "typedef int32_t aq_status;", "typedef int16_t aq_status;", "aq_status"),
    ("status.h", "char text[496];", "char text[400];", "aq_error"),
])
def test_abidiff_refuses_a_library_that_differs_from_what_was_published(headers, name, before, after,
                                                                       complaint):
    for frozen in (headers.parent / "frozen").iterdir():
        edit(frozen, name, before, after)
    code, said = check(headers, "--library", LIBRARY)
    assert code == 1
    assert "libamazonq: abidiff says" in said and complaint in said


@needs_abidiff
def test_abidiff_refuses_a_slot_with_another_type(headers):
    edit(headers, "store.h", "void (*close)(void *self);", "int (*close)(void *self);")
    code, said = check(headers, "--library", LIBRARY)
    assert code == 1
    assert f"plugins of minor {MINOR}: abidiff says" in said
