# SPDX-License-Identifier: Apache-2.0
"""
Plugin files in bad places and of bad shapes: what `q` says about them, and that it goes no further.

The file in a bad place is one whose constructor aborts: had it been mapped, `q` would be dead.
"""

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from command import BINARY, SANITIZED

FAKES = Path(os.environ["AQ_TEST_FAKES"])
HOSTILE = Path(os.environ["AQ_TEST_HOSTILE"])
ABORT = HOSTILE / "store-abort.so"
OTHER = 12345  # a user, and a group, that is nobody here
CLI = Path(__file__).resolve().parent.parent / "cli"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
needs_strace = pytest.mark.skipif(
    SANITIZED or not shutil.which("strace"), reason="a leak checker and strace exclude each other"
)


def whoami(q, store, **options):
    """Ask with this store. One line on standard error, whatever happens."""
    result = q.run("whoami", "--quiet", f"--store={store}", **options)
    assert result.out == "" and result.err.count("\n") <= 1, result
    return result


def copy(to, of=ABORT, mode=0o644):
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(of, to)
    to.chmod(mode)
    return to


def readelf(*args):
    done = subprocess.run(["readelf", *args], capture_output=True, text=True, check=True)
    return done.stdout


def directory(path, mode, user=-1):
    path.mkdir()
    os.chown(path, user, -1)
    path.chmod(mode)
    return path


# ---- places: what breaks a rule of trust is never opened, let alone mapped ----


def relative(home):
    copy(home / "store-abort.so")
    return "store-abort.so"


def relative_with_a_dot(home):
    copy(home / "store-abort.so")
    return "./store-abort.so"


def relative_through_the_parent(home):
    copy(home / "store-abort.so")
    return f"../{home.name}/store-abort.so"


def below_a_tilde(home):
    copy(home / "store-abort.so")
    return "~/store-abort.so"


def by_name_in_the_working_directory(home):
    copy(home / "store-abort.so")
    return "abort"


def missing(home):
    return home / "store-abort.so"


def a_slash_after_a_file(home):
    return f"{copy(home / 'store-abort.so')}/"


def file_that_others_can_write(home):
    return copy(home / "store-abort.so", mode=0o666)


def directory_that_others_can_write(home):
    return copy(directory(home / "open", 0o777) / "store-abort.so")


def directory_above_that_others_can_write(home):
    return copy(directory(home / "open", 0o777) / "safe" / "store-abort.so")


def directory_two_above_that_others_can_write(home):
    return copy(directory(home / "open", 0o777) / "one" / "two" / "store-abort.so")


def link_into_a_directory_that_others_can_write(home):
    link = home / "store-abort.so"
    link.symlink_to(copy(directory(home / "open", 0o777) / "real.so"))
    return link


def directory_that_is_a_link_to_where_others_can_write(home):
    copy(directory(home / "open", 0o777) / "store-abort.so")
    (home / "plugins").symlink_to("open")
    return home / "plugins" / "store-abort.so"


def dots_through_a_directory_that_others_can_write(home):
    copy(directory(home / "open", 0o777) / "store-abort.so")
    (home / "safe").mkdir()
    return home / "safe" / ".." / "open" / "store-abort.so"


def link_to_nothing(home):
    (home / "store-abort.so").symlink_to("nothing")
    return home / "store-abort.so"


def link_to_itself(home):
    (home / "store-abort.so").symlink_to("store-abort.so")
    return home / "store-abort.so"


def fifo(home):
    os.mkfifo(home / "store-abort.so", 0o600)
    return home / "store-abort.so"


def unix_socket(home):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(home / "store-abort.so"))
    (home / "store-abort.so").chmod(0o600)
    return home / "store-abort.so"


def device(home):
    return "/dev/zero"


def a_directory(home):
    return directory(home / "store-abort.so", 0o755)


def standard_input(home):
    return "/proc/self/fd/0"


def file_of_another_user(home):
    os.chown(copy(home / "store-abort.so"), OTHER, -1)
    return home / "store-abort.so"


def file_that_another_group_can_write(home):
    os.chown(copy(home / "store-abort.so"), -1, OTHER)
    (home / "store-abort.so").chmod(0o664)
    return home / "store-abort.so"


def directory_of_another_user(home):
    return copy(directory(home / "theirs", 0o755, OTHER) / "store-abort.so")


def sticky_directory_of_another_user(home):
    return copy(directory(home / "theirs", 0o1777, OTHER) / "store-abort.so")


def directory_that_another_group_can_write(home):
    os.chown(directory(home / "shared", 0o755), -1, OTHER)
    (home / "shared").chmod(0o775)
    return copy(home / "shared" / "store-abort.so")


def in_a_directory_below(home):
    copy(home / "plugins" / "store-abort.so")
    return "plugins/store-abort.so"


def below_the_home_of_a_user(home):
    return "~root/store-abort.so"


def with_a_scheme(home):
    return f"file://{copy(home / 'store-abort.so')}"


def link_to_a_file_that_others_can_write(home):
    copy(home / "real.so", mode=0o666)
    (home / "store-abort.so").symlink_to("real.so")
    return home / "store-abort.so"


def longer_than_a_path_can_be(home):
    return f"{home}{'/.' * 2100}/{copy(home / 'store-abort.so').name}"


PLACES = [
    (relative, 2, "or an absolute path"),
    (relative_with_a_dot, 2, "or an absolute path"),
    (relative_through_the_parent, 2, "or an absolute path"),
    (below_a_tilde, 2, "or an absolute path"),
    (in_a_directory_below, 2, "or an absolute path"),
    (below_the_home_of_a_user, 2, "or an absolute path"),
    (with_a_scheme, 2, "or an absolute path"),
    (by_name_in_the_working_directory, 3, "no such plugin in"),
    (longer_than_a_path_can_be, 2, "its name is too long"),
    (link_to_a_file_that_others_can_write, 3, "chmod go-w"),
    (missing, 3, "No such file"),
    (a_slash_after_a_file, 3, "Not a directory"),
    (file_that_others_can_write, 3, "chmod go-w"),
    (directory_that_others_can_write, 3, "open can be written by others"),
    (directory_above_that_others_can_write, 3, "open can be written by others"),
    (directory_two_above_that_others_can_write, 3, "open can be written by others"),
    (link_into_a_directory_that_others_can_write, 3, "open can be written by others"),
    (directory_that_is_a_link_to_where_others_can_write, 3, "open can be written by others"),
    (dots_through_a_directory_that_others_can_write, 3, "open can be written by others"),
    (link_to_nothing, 3, "No such file"),
    (link_to_itself, 3, "Too many levels"),
    (fifo, 3, "is not a regular file"),
    (unix_socket, 3, "is not a regular file"),
    (device, 3, "is not a regular file"),
    (a_directory, 3, "is not a regular file"),
    (standard_input, 3, "is not a regular file"),
    pytest.param(file_of_another_user, 3, f"belongs to user {OTHER}", marks=needs_root),
    pytest.param(file_that_another_group_can_write, 3, "chmod go-w", marks=needs_root),
    pytest.param(directory_that_another_group_can_write, 3, "chmod go-w", marks=needs_root),
    pytest.param(directory_of_another_user, 3, f"belongs to user {OTHER}", marks=needs_root),
    pytest.param(sticky_directory_of_another_user, 3, f"belongs to user {OTHER}", marks=needs_root),
]


in_each_place = pytest.mark.parametrize(
    ("place", "code", "text"), PLACES, ids=lambda value: getattr(value, "__name__", "")
)


def strace(q, store, **options):
    """What `q` opens and maps on its way to this store."""
    log = q.home / "strace.log"
    traced = ["-f", "-y", "-o", log, "-e", "trace=open,openat,openat2,mmap", BINARY]
    args = [*traced, "whoami", f"--store={store}"]
    result = q.run(*args, program=shutil.which("strace"), **options)
    assert result.code in (2, 3), result
    return log.read_text()


@in_each_place
def test_a_plugin_in_a_bad_place_is_refused(q, place, code, text):
    result = whoami(q, place(q.home))
    assert (result.code, text in result.err) == (code, True), result
    assert re.match(r"q: store( '.*')?[,:] ", result.err), result


@needs_strace
@in_each_place
def test_a_plugin_in_a_bad_place_is_never_opened(q, place, code, text):
    log = strace(q, place(q.home))
    assert "libamazonq" in log  # so the check can fail
    assert not re.search(r"store-abort|real\.so|/dev/zero", log), log


def test_the_same_plugin_in_a_good_place_is_loaded_and_takes_the_process_down(q):
    """A constructor runs with the rights of the process and before anything can be asked of it."""
    good = copy(q.home / "store-abort.so")
    assert whoami(q, good).code == -signal.SIGABRT


def in_memory():
    fd = os.memfd_create("store-abort.so")
    os.write(fd, ABORT.read_bytes())
    return fd


def deleted(home):
    path = copy(home / "deleted.so")
    fd = os.open(path, os.O_RDONLY)
    path.unlink()
    return fd


def open_from_a_bad_place(home):
    return os.open(directory_that_others_can_write(home), os.O_RDONLY)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (lambda home: in_memory(), "No such file"),
        (deleted, "No such file"),
        (open_from_a_bad_place, "open can be written by others"),
    ],
    ids=["memfd", "deleted", "bad place"],
)
@pytest.mark.parametrize("name", ["/proc/self/fd/{}", "/dev/fd/{}", "/proc/{1}/fd/{0}"])
def test_a_descriptor_is_no_way_around_the_place(q, source, text, name):
    fd = source(q.home)
    try:
        result = whoami(q, name.format(fd, os.getpid()), pass_fds=[fd])
    finally:
        os.close(fd)
    assert (result.code, text in result.err) == (3, True), result


@pytest.mark.parametrize("how", ["environment", "settings"])
@pytest.mark.parametrize("store", ["store-abort.so", "./store-abort.so", "../store-abort.so"])
def test_a_relative_path_is_refused_wherever_it_comes_from(q, how, store):
    copy(q.home / "store-abort.so")
    if how == "environment":
        q.env["Q_STORE"] = store
    else:
        q.db.parent.mkdir(parents=True)
        (q.db.parent / "settings.json").write_text(f'{{"store": "{store}"}}')
        (q.db.parent / "settings.json").chmod(0o600)
    result = q.run("whoami", "--quiet")
    assert (result.code, "or an absolute path" in result.err) == (2, True), result


def test_an_empty_name_is_no_name(q):
    assert whoami(q, "").code == 2
    q.env["Q_STORE"] = ""
    assert q.run("whoami").code == 4  # the default, and nobody is logged in


@pytest.mark.parametrize("path", ["", ":", "::"])
def test_an_empty_directory_is_not_the_working_directory(q, path):
    copy(q.home / "store-abort.so")
    q.env.update(Q_PLUGIN_PATH=path, LD_LIBRARY_PATH=str(q.home))
    result = whoami(q, "abort")
    assert (result.code, "no such plugin in" in result.err) == (3, True), result


def test_where_the_library_does_not_know_its_own_directory_nothing_else_takes_its_place(q):
    """A relative LD_LIBRARY_PATH makes it so; the words of the message are not a directory."""
    library = Path(os.environ["AQ_TEST_LIB"]).resolve()
    soname = re.search(r"SONAME.*\[(.*)\]", readelf("-d", library))[1]
    (q.home / "lib").mkdir()
    shutil.copyfile(library, q.home / "lib" / soname)
    copy(q.home / "(the library's own directory is unknown)" / "store-abort.so")
    q.env["LD_LIBRARY_PATH"] = "lib"
    result = whoami(q, "abort")
    assert (result.code, "own directory is unknown" in result.err) == (3, True), result


def test_a_line_break_in_a_name_makes_no_second_line(q):
    result = whoami(q, "/no\nq: all is well")
    assert result.code == 3
    assert result.err.startswith("q: store '/no?q: all is well'")


# ---- shapes: in a good place, but not what it should be ----

ELF = (FAKES / "store-good.so").read_bytes()
MACHINE = 18  # e_machine, two bytes
OTHER_MACHINE = b"\x02\x00"  # SPARC: nobody builds this there


def altered(at, value):
    return ELF[:at] + value + ELF[at + len(value) :]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "it is not a shared object"),
        (b"This is not a plugin, it is a sentence about one.\n" * 9, "it is not a shared object"),
        (ELF[:16], "it is not a shared object"),
        (ELF[:64], "ends too early"),
        (altered(4, b"\x01"), "another kind of machine"),
        (altered(5, b"\x02"), "another kind of machine"),
        (altered(6, b"\x09"), "ELF file version"),
    ],
    ids=["empty", "text", "16 bytes", "header only", "32 bits", "big-endian", "version"],
)
def test_a_file_that_is_no_library_of_this_machine_is_refused(q, content, text):
    path = q.home / "store-good.so"
    path.write_bytes(content)
    result = whoami(q, path)
    assert (result.code, text in result.err) == (3, True), result
    assert str(path) in result.err


def test_a_library_of_another_machine_is_called_that(q):
    path = q.home / "store-good.so"
    path.write_bytes(altered(MACHINE, OTHER_MACHINE))
    result = whoami(q, path)
    assert result.code == 3
    assert "No such file" not in result.err


def start_of_dynamic(elf):
    """Where in the file the page begins that the linker has to read first."""
    (start,), (size, count) = struct.unpack_from("<Q", elf, 32), struct.unpack_from("<HH", elf, 54)
    for at in range(start, start + size * count, size):
        if struct.unpack_from("<I", elf, at)[0] == 2:  # PT_DYNAMIC
            return struct.unpack_from("<Q", elf, at + 8)[0] & ~4095


@pytest.mark.parametrize("part", [1, 0.5])
def test_a_library_that_was_copied_in_part_is_refused(q, part):
    path = q.home / "store-good.so"
    path.write_bytes(ELF[: int(start_of_dynamic(ELF) * part)])
    assert whoami(q, path).code == 3


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (shutil.which("true"), "has no symbol aq_plugin_v1"),
        (HOSTILE / "libhostile-part.so", "has no symbol aq_plugin_v1"),
        (FAKES / "store-nosymbol.so", "has no symbol aq_plugin_v1"),
        (FAKES / "store-newer.so", "is made for a newer q, update q"),
        (FAKES / "store-short.so", "its table is missing or too short"),
        (FAKES / "store-nolist.so", "its table has no function 'list'"),
        (FAKES / "store-kind.so", "is not a store"),
        (FAKES / "transport-script.so", "is not a store"),
        (HOSTILE / "store-null.so", "its descriptor is empty"),
        (HOSTILE / "store-unresolved.so", "undefined symbol: hostile_part"),
        (HOSTILE / "store-orphan.so", "libhostile-part.so: cannot open shared object file"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_library_that_is_no_plugin_is_refused(q, path, text):
    result = whoami(q, path)
    assert (result.code, text in result.err) == (3, True), result


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("store-bare.so", "has no symbol aq_plugin_v1"),
        ("store-unresolved.so", "undefined symbol: hostile_part"),
        ("store-orphan.so", "libhostile-part.so: cannot open shared object file"),
    ],
)
def test_what_cannot_be_a_plugin_is_refused_before_any_of_its_code_runs(q, name, text):
    """The constructors of these abort."""
    result = whoami(q, HOSTILE / name)
    assert (result.code, text in result.err) == (3, True), result


# ---- the libraries a plugin brings along ----

PART = "libhostile-part.so"
PLACEHOLDER = b"/" + b"x" * 200
BOUND = "q: hostile: bound to part 3\n"


def searching(to, path, needed=PART, of="store-search.so"):
    """A plugin that looks for its library along this path."""
    content = (HOSTILE / of).read_bytes()
    for old, new in ((PLACEHOLDER, path.encode()), (PART.encode(), needed.encode())):
        assert content.count(old + b"\0") == 1 and len(new) <= len(old)
        content = content.replace(old, new.ljust(len(old), b"\0"))
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(content)
    to.chmod(0o644)
    return to


def part(to, mode=0o644):
    return copy(to, HOSTILE / PART, mode)


def test_a_library_beside_a_plugin_is_found_by_it(q):
    """$ORIGIN is the directory of the real file, which has been inspected."""
    (q.home / "link.so").symlink_to(HOSTILE / "store-origin.so")
    for path in (HOSTILE / "store-origin.so", q.home / "link.so"):
        result = whoami(q, path)
        assert (result.code, result.err) == (3, BOUND)


@pytest.mark.parametrize(
    "path",
    [
        "$ORIGIN",
        "${ORIGIN}",
        "$ORIGIN/lib",
        "$ORIGIN/missing:$ORIGIN/../{home}/lib",
        "/nowhere/at/all:{path}/lib",
    ],
)
def test_a_library_is_found_along_any_path_that_can_be_trusted(q, path):
    part(q.home / PART)
    part(q.home / "lib" / PART)
    plugin = searching(q.home / "x.so", path.replace("{home}", q.home.name)
                       .replace("{path}", str(q.home)))
    assert whoami(q, plugin).err == BOUND


def test_a_library_for_a_kind_of_processor_is_found_where_it_can_be_trusted(q):
    part(q.home / "lib" / PART)
    for name in SUBDIRECTORIES:
        part(q.home / "lib" / name / PART)
    (q.home / "lib" / "neon").write_text("no directory")
    assert whoami(q, searching(q.home / "x.so", "$ORIGIN/lib")).err == BOUND


def test_a_colon_in_the_name_of_a_directory_ends_no_search_path(q):
    part(q.home / "a:b" / PART, 0o666)
    result = whoami(q, searching(q.home / "a:b" / "x.so", "$ORIGIN"))
    assert (result.code, f"{PART} can be written by others" in result.err) == (3, True), result


@pytest.mark.parametrize("of", ["store-auxiliary.so", "store-filter.so"])
def test_a_library_that_stands_in_for_a_plugin_has_to_be_trusted_as_one_it_needs(q, of):
    plugin = searching(q.home / "x.so", "$ORIGIN", of=of)
    copy(q.home / PART)
    assert whoami(q, plugin).code == -signal.SIGABRT  # its constructor runs
    (q.home / PART).chmod(0o666)
    result = whoami(q, plugin)
    assert (result.code, f"{PART} can be written by others" in result.err) == (3, True), result


# Where the linker looks first in a directory: depending on the processor, and, but for the first
# two, in older ones only.
SUBDIRECTORIES = [
    "glibc-hwcaps",
    "glibc-hwcaps/x86-64-v2",
    "tls",
    os.uname().machine,
    "x86_64/x86_64",
    "tls/haswell/avx512_1/x86_64",
]


def library_that_others_can_write(home):
    part(home / PART, 0o666)


def library_in_a_directory_that_others_can_write(home):
    part(directory(home / "open", 0o777) / PART)


def library_that_is_a_link_to_where_others_can_write(home):
    (home / PART).symlink_to(part(directory(home / "open", 0o777) / PART))


def library_of_another_user(home):
    os.chown(part(home / PART), OTHER, -1)


def sticky_directory(home):
    directory(home / "sticky", 0o1777)


def link_to_nothing_yet(home):
    (home / "lib").symlink_to(directory(home / "sticky", 0o1777) / "lib")


def subdirectory_that_others_can_write(name):
    def make(home):
        part(home / "lib" / PART)
        (home / "lib" / name).parent.mkdir(parents=True, exist_ok=True)
        part(directory(home / "lib" / name, 0o777) / PART)

    make.__name__ = name
    return make


def library_for_a_processor_that_others_can_write(home):
    part(home / "lib/glibc-hwcaps/x86-64-v2" / PART, 0o666)


def library_for_a_processor_that_is_a_link_to_nothing_yet(home):
    (home / "lib").mkdir()
    (home / "lib/glibc-hwcaps").symlink_to(directory(home / "sticky", 0o1777) / "lib")


def library_with_a_search_path_of_its_own(home):
    searching(home / PART, "lib")


def nothing(home):
    pass


@pytest.mark.parametrize(
    ("make", "path", "text"),
    [
        (library_that_others_can_write, "$ORIGIN", f"{PART} can be written by others"),
        (library_in_a_directory_that_others_can_write, "$ORIGIN/open", "open can be written"),
        (library_in_a_directory_that_others_can_write, "$ORIGIN/open/none", "open can be written"),
        (library_that_is_a_link_to_where_others_can_write, "$ORIGIN", "open can be written"),
        (sticky_directory, "$ORIGIN/sticky", "sticky, where others can put files"),
        (sticky_directory, "$ORIGIN/sticky/none", "sticky, where others can put files"),
        (link_to_nothing_yet, "$ORIGIN/lib", "lib leads nowhere"),
        *[
            (subdirectory_that_others_can_write(name), "$ORIGIN/lib", "can be written by others")
            for name in SUBDIRECTORIES
        ],
        (library_for_a_processor_that_others_can_write, "$ORIGIN/lib", f"{PART} can be written"),
        (library_for_a_processor_that_is_a_link_to_nothing_yet, "$ORIGIN/lib", "leads nowhere"),
        (library_with_a_search_path_of_its_own, "$ORIGIN", "libraries in 'lib'"),
        (nothing, "lib", "libraries in 'lib'"),
        (nothing, "./lib", "libraries in './lib'"),
        (nothing, "", f"{PART}: cannot open"),
        (nothing, "$ORIGIN:", "libraries in ''"),
        (nothing, ":$ORIGIN", "libraries in ''"),
        (nothing, "$ORIGINAL", "libraries in '$ORIGINAL'"),
        (nothing, "$ORIGIN/$LIB", "libraries in '$ORIGIN/$LIB'"),
        (nothing, "/$PLATFORM", "libraries in '/$PLATFORM'"),
        pytest.param(
            library_of_another_user, "$ORIGIN", f"belongs to user {OTHER}", marks=needs_root
        ),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_plugin_that_looks_for_libraries_where_others_can_put_them_is_refused(
    q, make, path, text
):
    make(q.home)
    result = whoami(q, searching(q.home / "x.so", path))
    assert (result.code, text in result.err) == (3, True), result


@pytest.mark.parametrize(
    ("needed", "text"),
    [
        ("./part.so", "needs the library './part.so'"),
        ("lib/part.so", "needs the library 'lib/"),
        ("$LIB", "needs the library '$LIB'"),
        ("/$LIB/part.so", "needs the library '/$LIB/part.so'"),
    ],
)
def test_a_plugin_that_may_get_a_library_of_the_working_directory_is_refused(q, needed, text):
    result = whoami(q, searching(q.home / "x.so", "$ORIGIN", needed))
    assert (result.code, text in result.err) == (3, True), result


def test_libraries_that_need_each_other_are_no_endless_task(q):
    searching(q.home / PART, "$ORIGIN")
    result = whoami(q, searching(q.home / "x.so", "$ORIGIN"))
    assert (result.code, "undefined symbol: hostile_part" in result.err) == (3, True), result


def test_the_reason_is_said_once(q):
    assert q.run("whoami", "--store", str(FAKES / "store-newer.so")).err.count("newer q") == 1


# ---- symbols ----

TWINS = """
import os, sys
from library import Client, Failed
for number in (1, 2, 1):
    os.environ["Q_STORE"] = f"{sys.argv[1]}/store-twin-{number}.so"
    try:
        Client().access_token()
    except Failed as failed:
        print(failed)
"""


@pytest.mark.skipif(SANITIZED, reason="a sanitizer cannot join a process that runs")
def test_two_plugins_with_the_same_symbol_bind_each_its_own(q):
    command = [sys.executable, "-c", TWINS, HOSTILE]
    env = {**q.env, "PYTHONPATH": str(CLI), "AQ_TEST_LIB": os.environ["AQ_TEST_LIB"]}
    said = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=True)
    assert said.stdout.splitlines() == [f"hostile: bound to part {n}" for n in (1, 2, 1)]


def system_sqlite():
    """Where the system keeps its SQLite, or None."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False)
    found = re.search(r"libsqlite3\.so\.0 .*=> (\S+)", listed.stdout)
    return found and found[1]


@pytest.mark.skipif(SANITIZED, reason="a sanitizer has to be the first library")
def test_the_store_binds_its_own_sqlite_where_the_program_has_another(q, service):
    plugin = Path(os.environ["AQ_TEST_LIB"]).parent / "amazonq/plugins/store-sqlite.so"
    library = system_sqlite()
    if not library or "libsqlite3" in readelf("-d", plugin):
        pytest.skip("the store shares the system's SQLite, or there is none")
    service.seed(q.db)
    q.env.update(LD_PRELOAD=library, LD_DEBUG="bindings", LD_DEBUG_OUTPUT=str(q.home / "bindings"))
    assert q.run("whoami").code == 0
    (log,) = (path.read_text() for path in q.home.glob("bindings.*"))
    bound = re.findall(r"binding file (\S+) .* to (\S+) .*symbol `(.*?)'", log)
    assert [line for line in bound if "libsqlite3" in line[0]]  # it is there
    mine = [line for line in bound if line[0].endswith("store-sqlite.so")]
    assert mine
    assert not [line for line in mine if "sqlite" in line[1] and line[1] != line[0]]
    others = [line for line in bound if line not in mine]
    assert not [line for line in others if line[1].endswith("store-sqlite.so")]
