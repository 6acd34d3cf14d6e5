# SPDX-License-Identifier: Apache-2.0
"""The pages for authors of plugins, followed block by block against an installed copy.

The words behind a fence say what a reader does with the block:

    sh                 paste it; it must succeed
    sh exit=7          ... it must end with 7
    sh login           the same, for somebody who is logged in with the stand-in service
    sh check           the same, if this q has `q plugin`
    sh meson           the same, if Meson is there
    text output        what the block before it printed; `...` stands for anything
    LANGUAGE file=X    write it into file X; pieces of one file follow each other
    c from=X           a passage of file X of this tree, which is tested as a whole
"""
import shutil
import subprocess

import pytest
from installed import SOURCE, TOOLS
from terminal import Terminal, blocks, matches

STORE = blocks(SOURCE / "docs/writing-a-store.md") + blocks(SOURCE / "docs/plugins.md")
TRANSPORT = blocks(SOURCE / "docs/writing-a-transport.md")


class Reader:
    """Somebody with an installed copy in the place that the pages name, and an empty directory."""

    def __init__(self, home, prefix, service):
        self.work, self.q, self.service = home / "work", prefix / "bin/q", service
        self.work.mkdir()
        (home / ".local").mkdir()
        shutil.copytree(prefix, home / ".local/amazonq", symlinks=True)  # plugins are added to it
        if not (home / ".local/amazonq/lib/pkgconfig").exists():
            (home / ".local/amazonq/lib").symlink_to("lib64")
        self.database = home / ".local/share/amazon-q/data.sqlite3"
        self.env = TOOLS | {"HOME": str(home), "Q_ENDPOINT_URL": service.url,
                            "AWS_ENDPOINT_URL_SSO_OIDC": service.url}
        self.terminal = Terminal(home, self.work, self.env)
        self.shown = ""

    def lacks(self, block):
        """What this block needs that is not here."""
        if "check" in block.marks:
            if subprocess.run([self.q, "plugin", "--help"], capture_output=True).returncode:
                return "q plugin"
        return "meson" if "meson" in block.marks and not shutil.which("meson") else None

    def follow(self, block):
        if "from" in block.marks:
            assert block.text in (SOURCE / block.marks["from"]).read_text(encoding="utf-8")
        elif "file" in block.marks:
            path = self.work / block.marks["file"]
            path.parent.mkdir(exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(block.text)
        elif "output" in block.marks:
            assert matches(block.text, self.shown), self.shown
        else:
            assert block.language == "sh", "a block that nobody tests"
            if "login" in block.marks:
                self.service.seed(self.database, expires_in=3600)
            self.shown, code = self.terminal.paste(block.text)
            assert code == int(block.marks.get("exit", 0)), self.shown


def reader_of(tmp_path_factory, prefix, service):
    reader = Reader(tmp_path_factory.mktemp("reader"), prefix, service)
    yield reader
    reader.terminal.close()


@pytest.fixture(scope="module")
def author_of_a_store(tmp_path_factory, prefix, service):
    yield from reader_of(tmp_path_factory, prefix, service)


@pytest.fixture(scope="module")
def author_of_a_transport(tmp_path_factory, prefix, service):
    yield from reader_of(tmp_path_factory, prefix, service)


@pytest.mark.parametrize("block", STORE, ids=str)
def test_a_block_for_authors_of_stores_does_what_it_says(block, author_of_a_store):
    if lacks := author_of_a_store.lacks(block):
        pytest.skip(f"needs {lacks}")
    author_of_a_store.follow(block)


@pytest.mark.parametrize("block", TRANSPORT, ids=str)
def test_a_block_for_authors_of_transports_does_what_it_says(block, author_of_a_transport):
    if lacks := author_of_a_transport.lacks(block):
        pytest.skip(f"needs {lacks}")
    author_of_a_transport.follow(block)


def test_what_the_pages_build_exports_its_entry_alone(author_of_a_store):
    built = sorted(author_of_a_store.work.rglob("*.so"))
    assert len(built) > 3
    for path in built:
        symbols = subprocess.run(["nm", "-D", "--defined-only", path], text=True, check=True,
                                 capture_output=True).stdout
        assert [line.split()[-1] for line in symbols.splitlines()] == ["aq_plugin_v1"], path


@pytest.mark.parametrize("way", ["cmake", "make", "meson"])
def test_every_way_of_packaging_lands_in_the_directory_that_the_library_looks_into(author_of_a_store, way):
    if way == "meson" and not shutil.which("meson"):
        pytest.skip("needs meson")
    staged = author_of_a_store.work / f"with-{way}/staged"
    found = [path.relative_to(staged).parts[-3:] for path in staged.rglob("*.so")]
    assert found == [("amazonq", "plugins", "store-note.so")]


def test_what_the_pages_show_has_no_warnings(author_of_a_store, author_of_a_transport, prefix):
    for path in (author_of_a_store.work / "store_note.c", author_of_a_transport.work / "transport_replay.c",
                 SOURCE / "examples/plugin-out-of-tree/store_book.c"):
        subprocess.run([TOOLS["CC"], "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror",
                        "-fsyntax-only", f"-I{prefix}/include", path], check=True)
