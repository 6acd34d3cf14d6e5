# SPDX-License-Identifier: Apache-2.0
"""Measures the budgets of the core and prints them; `scripts/bench core` builds what this needs.

    core.py core|export|decode BUILD PEERS ROUNDS

BUILD has the command and tests/decode; PEERS is where scripts/bench put the decoders of others.
A peer that is not there is left out, and so are the budgets that are measured against it.
"""
import ctypes
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile

import answer
import budget
import decoder
import startup
from budget import Budget
from decoder import Decoder

FRAMES = 1000           # an answer that fits a processor's cache
CHUNK = 16 * 1024       # bytes, as a socket gives them
PIECE = 1400            # bytes, as a packet has them
LARGE = 8 * 1024 * 1024  # bytes of the payload of a large frame
OWN_TEST = "a_warm_decoder_allocates_nothing_wherever_a_frame_is_split"

OURS, TEXT = "libamazonq", "libamazonq, with text"
AWS_C, RUST, GO = "aws-c-event-stream", "Rust aws-smithy-eventstream", "Go aws-sdk-go-v2"
NODE, BOTOCORE = "node @smithy/eventstream-serde", "botocore EventStreamBuffer"
JSON_C, SIMDJSON = "libamazonq, text by json-c", "libamazonq, text by simdjson"
SHELL, GH, AWS = "sqlite3 shell", "gh auth token", "aws export-credentials"

EXPORT, DECODE = "export-token", "decode 1000 events"
WALL = Budget("S1", f"{EXPORT}, wall time", SHELL, "<=", 1.00, 0.80)
INSTRUCTIONS = Budget("S2", f"{EXPORT}, user instructions", SHELL, "<=", 1.00, 0.75)
SLOWER = {GH: Budget("S3", f"{EXPORT}, times as fast", GH, ">=", 15, 25),
          AWS: Budget("S3", f"{EXPORT}, times as fast", AWS, ">=", 150, 250)}
LIBRARIES = Budget("S4", f"{EXPORT}, libraries but ours and libc", "", "<=", 0, 0)
CALLS = Budget("S4", f"{EXPORT}, system calls", SHELL, "<=", 1.00, 0.67)
RSS = Budget("S4", f"{EXPORT}, peak RSS, MiB", "", "<=", 5, 3.5)
DECODING = {AWS_C: Budget("D1", DECODE, AWS_C, ">=", 5, 9),
            RUST: Budget("D2", DECODE, RUST, ">=", 10, 18),
            GO: Budget("D2", DECODE, GO, ">=", 25, 45),
            NODE: Budget("D2", DECODE, NODE, ">=", 60, 120),
            BOTOCORE: Budget("D2", DECODE, BOTOCORE, ">=", 100, 200)}
TEXTS = {AWS_C: Budget("D3", f"{DECODE} and their text", f"{AWS_C}, no text", ">=", 2.5, 3.8),
         JSON_C: Budget("D3", f"{DECODE} and their text", JSON_C, ">=", 5, 8),
         SIMDJSON: Budget("D3", f"{DECODE} and their text", SIMDJSON, ">=", 1.0, 1.2)}
PIECES = {AWS_C: Budget("D4", "a frame of 8 MiB, 1400 bytes at a time", AWS_C, ">=", 1, 2.5),
          BOTOCORE: Budget("D4", "a frame of 8 MiB, 1400 bytes at a time", BOTOCORE, ">=", 1, 2000)}
BYTES = Budget("D4", f"{DECODE}, a byte at a time", AWS_C, ">=", 1, 2.3)
ALLOCATIONS = Budget("D5", "allocations of a warm decoder per frame", "", "<=", 0, 0)
BUDGETS = [WALL, INSTRUCTIONS, *SLOWER.values(), LIBRARIES, CALLS, RSS, *DECODING.values(),
           *TEXTS.values(), *PIECES.values(), BYTES, ALLOCATIONS]


def say(title, lines):
    print(f"\n{title}", *lines, sep="\n    ", flush=True)


def others_logged_in(home):
    """The commands of others that print a credential they keep, where they are installed."""
    folder = pathlib.Path(home.env["HOME"])
    (folder / ".config/gh").mkdir(parents=True)
    (folder / ".config/gh/hosts.yml").write_text(
        "github.com:\n    oauth_token: gho_EXAMPLE\n    user: example\n")
    (folder / ".aws").mkdir()
    (folder / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = EXAMPLE\naws_secret_access_key = EXAMPLE\n")
    found = {}
    if shutil.which("gh"):
        found[GH] = ["gh", "auth", "token"]
    if pathlib.Path("/usr/bin/aws").exists():  # the package's, not one of a Python environment
        found[AWS] = ["/usr/bin/aws", "configure", "export-credentials"]
    return found


def measure_startup(build, rounds):
    measured = {}
    with tempfile.TemporaryDirectory(prefix="q-bench.") as folder:
        home = startup.Home(folder, build / "bin/q")
        timer = build / "tests/process_time"
        rows, table = startup.race(timer, home, rounds, **{SHELL: home.shell, EXPORT: home.q})
        say("start-up", table.splitlines())
        measured[WALL] = rows[EXPORT][1]
        measured[RSS] = rows[EXPORT][0] / 1024

        others = others_logged_in(home)
        if others:
            rows, table = startup.race(timer, home, max(3, rounds // 20),
                                       **{EXPORT: home.q}, **others)
            say("start-up, against commands that do the same", table.splitlines())
            measured.update({SLOWER[name]: rows[name][1] for name in others})

        if shutil.which("valgrind"):
            measured[INSTRUCTIONS] = (startup.instructions(home, home.q)
                                      / startup.instructions(home, home.shell))
        if shutil.which("strace"):
            lines = startup.calls(home, home.q)
            measured[CALLS] = len(lines) / len(startup.calls(home, home.shell))
            measured[LIBRARIES] = len(startup.foreign(startup.libraries(lines)))
    return measured


def can_load(library):
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def peers_found(peers, own):
    """The decoders of others that are there."""
    found = []
    modules = list(pathlib.Path("/usr/lib/python3/dist-packages").glob("_awscrt.*.so"))
    python = f"libpython{sysconfig.get_config_var('LDVERSION')}.so.1.0"
    if modules and can_load(python):
        found.append(Decoder(AWS_C, own, AWS_C, libraries=[python, modules[0]]))
    for name, program, command in ((RUST, "rust/release/decode", []), (GO, "go/decode", []),
                                   (NODE, "node/decode.js", ["node"]),
                                   (BOTOCORE, "python/decode.py", [sys.executable])):
        if (peers / program).exists():
            found.append(Decoder(name, *command, peers / program))
    return found


def texts_found(peers, own):
    return [Decoder(name, own, "libamazonq-library", libraries=[peers / f"json/{library}"])
            for name, library in ((JSON_C, "json-c.so"), (SIMDJSON, "simdjson.so"))
            if (peers / f"json/{library}").exists()]


def measure_decoding(build, peers, rounds):
    measured = {}
    own = build / "tests/decode"
    ours, text = Decoder(OURS, own, "libamazonq"), Decoder(TEXT, own, "libamazonq-text")
    others = peers_found(peers, own)
    linear = [other for other in others if other.name == AWS_C]
    quadratic = [other for other in others if other.name == BOTOCORE]

    def race(title, answered, chunk, decoders, rounds, budgets, base):
        with tempfile.NamedTemporaryFile() as file:
            file.write(answered.stream)
            file.flush()
            times = decoder.race(decoders, answered, file.name, chunk, rounds)
        say(title, times.table(answered.found.frames))
        for name, goal in budgets.items():
            if times.has(name):
                measured[goal] = times.ratio(name, base)

    chat, large = answer.chat(FRAMES), answer.large(LARGE)
    mean = len(chat.stream) // FRAMES
    race(f"frames of {mean} bytes in the mean, {CHUNK} at a time", chat, CHUNK, [ours, *others],
         rounds, DECODING, OURS)
    race("the same with their text; aws-c-event-stream without it", chat, CHUNK,
         [text, *linear, *texts_found(peers, own)], rounds, TEXTS, TEXT)
    race(f"one frame of {LARGE} bytes, {PIECE} at a time", large, PIECE, [ours, *linear], rounds,
         PIECES, OURS)
    if quadratic:  # it copies all it has for each piece: seconds
        race("the same", large, PIECE, [ours, *quadratic], 1, PIECES, OURS)
    race("frames, a byte at a time", chat, 1, [ours, *linear], rounds, {AWS_C: BYTES}, OURS)

    said = subprocess.run([build / "tests/test_wire_eventstream_memory"], capture_output=True, text=True,
                          check=False)
    if f"[       OK ] {OWN_TEST}" in said.stdout + said.stderr:
        measured[ALLOCATIONS] = 0
    return measured


def main():
    what, build, peers, rounds = sys.argv[1], *map(pathlib.Path, sys.argv[2:4]), int(sys.argv[4])
    measured = {}
    try:
        if what != "decode":
            measured |= measure_startup(build, rounds)
        if what != "export":
            measured |= measure_decoding(build, peers, max(3, rounds // 10))
    except decoder.Wrong as wrong:
        sys.exit(f"core.py: {wrong}")
    wanted = [goal for goal in BUDGETS if what == "core" or goal in measured]
    say("budgets", budget.table(wanted, measured))


if __name__ == "__main__":
    main()
