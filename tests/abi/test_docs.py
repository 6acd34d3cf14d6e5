# SPDX-License-Identifier: Apache-2.0
"""What the documentation must mention is read from the code, so that neither can forget the other."""
import os
import pathlib
import re

ROOT = pathlib.Path(os.environ["AQ_SOURCE_DIR"])
SETTINGS = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
HEADERS = sorted((ROOT / "core/include/amazonq").glob("*.h"))


def table_row(key):
    rows = [line for line in SETTINGS.splitlines() if line.startswith(f"| `{key}` |")]
    assert len(rows) == 1, f"docs/settings.md has {len(rows)} rows for {key}"
    return rows[0]


def test_every_setting_of_the_library_is_in_the_table_with_its_variable_and_default():
    source = (ROOT / "core/host/settings.c").read_text(encoding="utf-8")
    known = re.findall(r'\[SETTINGS_\w+\] = \{\s*"([^"]+)",\s*(?:"([^"]+)"|NULL),\s*(?:"([^"]+)"|\w+)\s*\}',
                       source)  # a name: NULL, or what the build defines
    table = source.partition("known[] = {")[2].partition("};")[0]
    assert len(known) == table.count("[SETTINGS_") and known
    for key, variable, default in known:
        row = table_row(key)
        assert not variable or f"`{variable}`" in row
        assert not default or f"`{default}`" in row


def test_every_setting_of_our_plugins_is_in_the_table_with_its_variables():
    found = 0
    for source in sorted((ROOT / "plugins").rglob("*.c")):
        name = source.parent.name.replace("-", ".", 1)
        for key, rest in re.findall(r'\.key = "(\w+)"(.*?)\}', source.read_text(encoding="utf-8"), re.S):
            row = table_row(f"{name}.{key}")
            variables = re.search(r'\.env = "([^"]+)"', rest)
            for variable in variables.group(1).split(",") if variables else []:
                assert f"`{variable}`" in row
            default = re.search(r'\.default_value = "([^"]+)"', rest)
            assert not default or default.group(1) in row
            found += 1
    assert found


def test_every_public_function_says_since_when_and_on_which_threads():
    for header in HEADERS:
        text = header.read_text(encoding="utf-8")
        for comment, function in re.findall(r"/\*\*((?:(?!\*/).)*)\*/\s*AQ_API\b[^;]*?\b(aq_\w+)\(", text, re.S):
            assert "Since:" in comment, function
            assert "Threads:" in comment, function
        documented = len(re.findall(r"\*/\s*AQ_API\b", text))
        assert documented == len(re.findall(r"^AQ_API\b", text, re.M)), header.name


def test_every_decision_is_in_the_list_of_decisions():
    listed = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs/adr").glob("[0-9]*.md"):
        assert f"({page.name})" in listed
        assert {"**Context.**", "**Decision.**", "**What it costs.**"} <= set(
            re.findall(r"^\*\*[^*]+\*\*", page.read_text(encoding="utf-8"), re.M))
