# SPDX-License-Identifier: Apache-2.0
"""The checkers find what they are there to find: each rule is broken once in a tree of its own."""
import json
import os
import pathlib
import runpy
import subprocess
import sys

import pytest

ROOT = pathlib.Path(os.environ["AQ_SOURCE_DIR"])
PAGE = "docs/" + "a.md"  # written so that check-layers does not look for it in this tree
LICENCE = "/* SPDX-License-Identifier: Apache-2.0 */\n"


def check_layers(tree, files):
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return subprocess.run([sys.executable, str(ROOT / "tools/check-layers"), str(tree)],
                          capture_output=True, text=True)


def test_a_tree_that_keeps_the_rules_passes(tmp_path):
    result = check_layers(tmp_path, {
        "core/base/str.h": LICENCE + "#include <stddef.h>\n#include <amazonq/view.h>\n",
        "core/wire/token.c": LICENCE + '#include "wire/token.h"\n#include "base/str.h"\n',
        "core/host/loader.c": LICENCE + "#include <dlfcn.h>\nvoid *l(void) { return dlopen(0, 1); }\n",
        "core/base/alloc.c": LICENCE + "void *a(void) { return calloc(1, 1); }\n",
        "core/wire/chat.c": LICENCE + '/* not a call: malloc(3) */ const char *s = "getenv(x)";\n',
        "plugins/store-x/x.c": LICENCE + "#include <amazonq/plugin.h>\n#include <sys/socket.h>\n",
        "cli/main.c": LICENCE + '#include "output.h"\n#include <amazonq/amazonq.h>\n',
        "README.md": f"Read [this]({PAGE}), or {PAGE}.\n",
        PAGE: "see https://example.com/work/x and /usr/bin\n",
    })
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("name, text, complaint", [
    ("core/base/str.c", '#include "wire/token.h"', 'must not include "wire/token.h"'),
    ("core/wire/token.c", '#include "host/loader.h"', 'must not include "host/loader.h"'),
    ("core/host/loader.c", '#include "client/op.h"', 'must not include "client/op.h"'),
    ("core/client/op.c", '#include "op.h"', 'must not include "op.h"'),
    ("core/client/op.c", "#include <sys/socket.h>", "must not include <sys/socket.h>"),
    ("core/host/paths.c", "#include <netinet/in.h>", "must not include <netinet/in.h>"),
    ("core/wire/oidc.c", "#include <unistd.h>", "must not include <unistd.h>"),
    ("core/include/amazonq/view.h", "#include <stdio.h>", "must not include <stdio.h>"),
    ("plugins/store-x/x.c", "#include <amazonq/client.h>", "must not include <amazonq/client.h>"),
    ("plugins/store-x/x.c", '#include "base/str.h"', 'must not include "base/str.h"'),
    ("cli/main.c", "#include <amazonq/plugin.h>", "must not include <amazonq/plugin.h>"),
    ("cli/main.c", '#include "base/str.h"', 'must not include "base/str.h"'),
    ("examples/a.c", "#include <amazonq/plugin.h>", "must not include <amazonq/plugin.h>"),
    ("core/host/paths.c", "void *f(void) { return dlopen(0, 1); }", "loads code"),
    ("core/wire/token.c", "void *f(void) { return malloc(1); }", "allocates"),
    ("core/base/str.c", "char *f(char *s) { return strdup(s); }", "allocates"),
    ("core/client/op.c", 'char *f(void) { return getenv("HOME"); }', "reads the environment"),
    ("plugins/store-x/x.c", 'char *f(void) { return getenv("HOME"); }', "reads the environment"),
    ("core/wire/oidc.c", "long f(void) { return time(0); }", "asks the clock"),
    ("core/base/log.c", 'void f(void) { puts("x"); }', "prints"),
])
def test_a_broken_rule_is_named(tmp_path, name, text, complaint):
    result = check_layers(tmp_path, {name: LICENCE + text + "\n"})
    assert result.returncode == 1
    assert f"{name}:2: {complaint}" in result.stdout
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize("name, text, complaint", [
    ("core/base/str.c", "int x;\n", "no 'SPDX"),
    ("scripts/run", "#!/bin/sh\necho\n", "no 'SPDX"),
    ("CMakeLists.txt", "project(x)\n", "no 'SPDX"),
    ("README.md", "built in /home/" + "ann/src\n", "names a path of one machine"),
    ("README.md", "see docs/" + "gone.md\n", "docs/" + "gone.md does not exist"),
    ("README.md", "see [it](../elsewhere.md)\n", "leads nowhere"),
])
def test_a_text_that_must_not_be_there_is_named(tmp_path, name, text, complaint):
    result = check_layers(tmp_path, {name: text})
    assert result.returncode == 1
    assert f"{name}:1: {complaint}" in result.stdout or complaint in result.stdout


def test_a_path_below_the_checkout_is_named_wherever_it_lies(tmp_path):
    result = check_layers(tmp_path, {PAGE: f"see {tmp_path}/build\n"})
    assert result.returncode == 1
    assert f"{PAGE}:1: names a path of one machine" in result.stdout


def shared_object(path, source):
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)],
                   input=source, text=True, check=True)


def check_symbols(tmp_path, functions, header, promised, plugin="int aq_plugin_v1(void){return 0;}"):
    shared_object(tmp_path / "lib.so", "".join(f"int {name}(void) {{ return 0; }}\n"
                                               for name in functions))
    shared_object(tmp_path / "plugins/store-x.so", plugin)
    (tmp_path / "include").mkdir()
    (tmp_path / "include/x.h").write_text(header, encoding="utf-8")
    (tmp_path / "symbols.txt").write_text("# promised\n" + "\n".join(promised) + "\n",
                                          encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(ROOT / "tools/check-symbols"), "--library", str(tmp_path / "lib.so"),
         "--headers", str(tmp_path / "include"), "--expected", str(tmp_path / "symbols.txt"),
         "--plugins", str(tmp_path / "plugins")], capture_output=True, text=True)


HEADER = "#define AQ_API\n/* AQ_API int aq_old(void); */\nAQ_API int aq_a(void);\n" \
         "AQ_API const char *\naq_b(int x,\n     int y);\n"


def test_a_library_that_exports_what_it_promises_passes(tmp_path):
    result = check_symbols(tmp_path, ["aq_a", "aq_b"], HEADER, ["aq_a", "aq_b"])
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("functions, promised, complaint", [
    (["aq_a"], ["aq_a"], "aq_b: declared with AQ_API, but the library does not export it"),
    (["aq_a", "aq_b", "aq_c"], ["aq_a", "aq_b", "aq_c"], "aq_c: exported by the library, but no header"),
    (["aq_a", "aq_b"], ["aq_a"], "aq_b: exported by the library, but missing from symbols.txt"),
    (["aq_a", "aq_b"], ["aq_a", "aq_b", "aq_c"], "aq_c: promised in symbols.txt"),
])
def test_a_symbol_that_is_not_in_all_three_places_is_named(tmp_path, functions, promised, complaint):
    result = check_symbols(tmp_path, functions, HEADER, promised)
    assert result.returncode == 1
    assert complaint in result.stdout


def test_a_plugin_that_exports_more_than_its_entry_is_named(tmp_path):
    result = check_symbols(tmp_path, ["aq_a", "aq_b"], HEADER, ["aq_a", "aq_b"],
                           "int aq_plugin_v1(void){return 0;} int helper(void){return 0;}")
    assert result.returncode == 1
    assert "store-x.so: exports aq_plugin_v1, and exports helper" in result.stdout


def test_a_directory_without_plugins_is_no_proof(tmp_path):
    shared_object(tmp_path / "lib.so", "int aq_a(void) { return 0; }")
    (tmp_path / "include").mkdir()
    (tmp_path / "include/x.h").write_text("AQ_API int aq_a(void);\n", encoding="utf-8")
    (tmp_path / "symbols.txt").write_text("aq_a\n", encoding="utf-8")
    (tmp_path / "plugins").mkdir()
    result = subprocess.run(
        [sys.executable, str(ROOT / "tools/check-symbols"), "--library", str(tmp_path / "lib.so"), "--headers",
         str(tmp_path / "include"), "--expected", str(tmp_path / "symbols.txt"), "--plugins",
         str(tmp_path / "plugins")], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, f"{tmp_path}/plugins: there are no plugins\n")


def documented_tree(tmp_path, **changes):
    """A tree whose documentation is complete, with some files replaced."""
    files = {
        "core/include/amazonq/client.h": "/**\n * Do it.\n *\n * @return AQ_OK\n * Threads: any.  Since: 0.1\n */\n"
        "AQ_API aq_status aq_do(void);\n",
        "core/include/amazonq/status.h": "#define AQ_OK 0\n#define AQ_E_BAD (-1)\n",
        "docs/errors.md": "# Errors\n\n`AQ_E_BAD`: call `aq_do` again, see [codes](exit-codes.md#exit-codes)\n",
        "docs/exit-codes.md": "# Exit codes\n\n`AQ_E_BAD`\n",
        **changes,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    command = [sys.executable, str(ROOT / "tools/check-docs"), "--root", str(tmp_path)]
    return subprocess.run(command, capture_output=True, text=True)


def test_complete_documentation_passes(tmp_path):
    result = documented_tree(tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name, text, complaint", [
    ("core/include/amazonq/client.h", "/** Do it. Threads: any.  Since: 0.1 */\nAQ_API aq_status aq_do(void);\n",
     "aq_do: its comment has no @return"),
    ("core/include/amazonq/client.h", "/** @return it. Since: 0.1 */\nAQ_API aq_status aq_do(void);\n",
     "aq_do: its comment has no Threads:"),
    ("core/include/amazonq/client.h", "/** @return it. Threads: any. */\nAQ_API aq_status aq_do(void);\n",
     "aq_do: its comment has no Since:"),
    ("core/include/amazonq/client.h", "AQ_API aq_status aq_do(void);\n", "aq_do: has no comment"),
    ("core/include/amazonq/client.h", "/* Do it. */\nAQ_API aq_status aq_do(void);\n", "aq_do: has no comment"),
    ("core/include/amazonq/client.h",
     "/** @return it. Threads: any.  Since: 0.1 */\nAQ_API aq_status aq_see(void);\nAQ_API void\naq_do(int a,\nint b);\n",
     "aq_do: has no comment"),
    ("core/include/amazonq/client.h",
     "/** @return it. Threads: any.  Since: 0.1 */\nstruct aq_op;\nAQ_API void aq_do(void);\n",
     "aq_do: has no comment"),
    ("core/include/amazonq/client.h",
     "/** @return it. Threads: any.  Since: 0.1 */\nAQ_API aq_status aq_other(void);\n",
     "aq_other: is not mentioned"),
    ("core/include/amazonq/status.h", "#define AQ_E_BAD (-1)\n#define AQ_E_NEW (-2)\n",
     "AQ_E_NEW: is not in docs/errors.md"),
    ("core/include/amazonq/status.h", "#define AQ_OK 0\n", "AQ_E_BAD does not exist"),
    ("docs/exit-codes.md", "# Codes\n\n`AQ_E_BAD`\n", "no such heading"),
    ("README.md", f"[gone]({PAGE})\n", "leads nowhere"),
])
def test_a_gap_in_the_documentation_is_named(tmp_path, name, text, complaint):
    result = documented_tree(tmp_path, **{name: text})
    assert result.returncode == 1
    assert complaint in result.stderr


# A file for each goal, and one of no folder with a goal.
GOALS = runpy.run_path(str(ROOT / "tools/check-coverage"))["GOALS"]
FULL = [name + "rows.c" * name.endswith("/") for name in GOALS if name] + ["cli/main.c"]


def check_coverage(tmp_path, names, **branches):
    """What is said of these files: 100 branches each, all of them reached but where `branches` says so."""
    files = [{"filename": name, "branch_covered": branches.get(pathlib.Path(name).stem, 100),
              "branch_total": 100, "line_covered": 9, "line_total": 10} for name in names]
    summary = tmp_path / "coverage.json"
    summary.write_text(json.dumps({"files": files}), encoding="utf-8")
    return subprocess.run([sys.executable, str(ROOT / "tools/check-coverage"), str(summary)],
                          capture_output=True, text=True)


def test_coverage_that_meets_every_goal_is_a_table_by_folder_and_file(tmp_path):
    result = check_coverage(tmp_path, FULL, main=0)
    assert (result.returncode, result.stderr) == (0, "")
    folder, token, everything = (next(line.split() for line in result.stdout.splitlines()
                                      if line.split()[0] == name)
                                 for name in ("core/client/", "token.c", "all"))
    count, clients = len(FULL), sum(name.startswith("core/client/") for name in FULL)
    assert folder[1:5] == f"{clients}00 of {clients}00 100.0".split()
    assert token[1:] == "100 of 100 100.0 % 9 of 10 90.0 %".split()
    assert everything[1:4] == f"{count - 1}00 of {count}00".split()
    assert everything[6:] == f"{9 * count} of {10 * count} 90.0 %".split()


@pytest.mark.parametrize("names, branches, complaint", [
    (FULL, {"save": 99}, "core/client/save.c: 99 of 100 branches are tested, the goal is 100 %"),
    (FULL, {"rows": 99}, "plugins/store-sqlite/: 99 of 100 branches are tested, the goal is 100 %"),
    ([*FULL, "cli/a.c", "cli/b.c"], {"main": 0, "a": 0, "b": 0},
     f"all files: {len(FULL) - 1}00 of {len(FULL) + 2}00 branches are tested, the goal is 85 %"),
    (FULL[1:], {}, f"{FULL[0]}: nothing was measured"),
])
def test_a_missed_goal_of_coverage_is_named(tmp_path, names, branches, complaint):
    result = check_coverage(tmp_path, names, **branches)
    assert (result.returncode, result.stderr) == (1, complaint + "\n")
