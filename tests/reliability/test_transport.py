# SPDX-License-Identifier: Apache-2.0
"""T1 to T10: the network, seen through the command. Peers that lie, flood, stall and vanish."""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
import pytest
from command import BINARY, SANITIZED, TIMEOUT_S
from harness import FORCE, LONG, REFRESH, SEED, rounds

TESTS = Path(__file__).resolve().parent.parent
PROGRAMS = BINARY.parent.parent / "tests"
CHAT, ASK = "GenerateAssistantResponse", ("chat", "--no-interactive", "hello")
TEMPORARY, MISUSED = 5, 2
LISTENERS = ("plain", "tls", "h2", "silent")
IMPOSTORS = ("wrong-name", "expired", "early", "self-signed", "unknown", "old-tls")


class Peers:
    """tests/plugins/transport/server.py; its docstring tells the commands."""

    def __init__(self, directory, process):
        self.ca, self._process = Path(directory, "ca.pem"), process
        lines = iter(lambda: process.stdout.readline().split(), ["ready", "0"])
        self._ports = {name: port for name, port in lines}

    def url(self, listener, path=""):
        plain = listener == "plain"
        origin = "http://127.0.0.1" if plain else "https://localhost"
        return f"{origin}:{self._ports[listener]}{path}"

    def ask(self, *command):
        self._process.stdin.write(" ".join(command) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.fixture(scope="session", params=["curl", "h2"])
def transport(request):
    """Its name; a test runs once with each of them."""
    plugins = BINARY.parent.parent / "lib" / "amazonq" / "plugins"
    if not (plugins / f"transport-{request.param}.so").exists():
        pytest.skip(f"transport-{request.param} is not built")
    return request.param


in_http1 = pytest.mark.parametrize("transport", ["curl"], indirect=True)


def report(row, injected, times, outcome, transport="curl"):
    harness.report(row, injected if transport == "curl" else f"{injected} (h2)", times, outcome)


@pytest.fixture(scope="session")
def peers(transport):
    protocol = "h2" if transport == "h2" else "http/1.1"
    program = TESTS / "plugins" / "transport" / "server.py"
    with tempfile.TemporaryDirectory(prefix="q-peers.") as directory:
        process = subprocess.Popen(
            [sys.executable, program, directory, protocol, *LISTENERS, *IMPOSTORS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process, process.stdin:
            yield Peers(directory, process)


@pytest.fixture
def q(online, service, peers, transport):
    """A command with a login, which trusts the peers' authority and the service's."""
    service.seed(online.db, expires_in=3600)
    bundle = online.home / "authorities.pem"
    bundle.write_text(peers.ca.read_text() + Path(service.ca).read_text())
    online.env["AWS_CA_BUNDLE"] = str(bundle)
    online.env["Q_TRANSPORT"] = transport
    return online


@contextlib.contextmanager
def ear():
    """A port, and a function that says whether anybody has knocked. The kernel accepts for us, so a
    connection is there before its first byte."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def heard():
            return bool(select.select([listener], [], [], 0)[0])

        yield listener.getsockname()[1], heard


def test_no_redirect_takes_the_token_elsewhere(q, service, transport):
    count = 0
    targets = ("http://127.0.0.1:{}/", "http://localhost:{}/", "https://localhost:{}/")
    entries = ("url", "tls_url") if LONG else ("url",)
    with ear() as (port, heard):
        for status in range(301, 309):
            for target in targets if LONG else targets[status % 3 :][:1]:
                for entry in entries:
                    q.env["Q_ENDPOINT_URL"] = getattr(service, entry)
                    q.env["AWS_ENDPOINT_URL_SSO_OIDC"] = getattr(service, entry)
                    for operation, args in ((CHAT, ASK), (REFRESH, FORCE)):
                        service.fault(operation, redirect=target.format(port), status=status)
                        result = q.run(*args)
                        assert result.code != 0, result
                        count += 1
        assert not heard()
    report("T1", "301 to 308 to another port, host or scheme", count, "none followed", transport)


def test_an_impostor_is_told_nothing(q, peers, transport):
    count = rounds(1, 20)
    for impostor in IMPOSTORS:
        q.env["Q_ENDPOINT_URL"] = peers.url(impostor)
        for _ in range(count):
            result = q.run(*ASK)
            assert result.code == TEMPORARY, result
        assert peers.ask("gone", impostor) == 1
        assert peers.ask("connections", impostor) >= count
        assert peers.ask("heard", impostor) == 0
    what = "other name, expired, not valid yet, self-signed, unknown authority, TLS 1.1"
    outcome = "closed before the first byte of HTTP"
    report("T2", what, count * len(IMPOSTORS), outcome, transport)


# All but the last two reach 127.0.0.1, if they are tried.
UNLISTED = (
    "http://[::ffff:127.0.0.1]:{}",
    "http://0.0.0.0:{}",
    "http://127.1:{}",
    "http://0x7f.0.0.1:{}",
    "http://0177.0.0.1:{}",
    "http://2130706433:{}",
    "http://127.0.0.1.:{}",
    "http://localhost.:{}",
    "http://user@127.0.0.1:{}",
    "https://127.0.0.1:{}@localhost",
    "ftp://127.0.0.1:{}",
)


@in_http1
def test_an_endpoint_in_clear_text_is_refused_before_connecting(q):
    count = 0
    with ear() as (port, heard):
        for url in UNLISTED:
            for name, args in (("Q_ENDPOINT_URL", ASK), ("AWS_ENDPOINT_URL_SSO_OIDC", FORCE)):
                before = q.env[name]
                q.env[name] = url.format(port)
                result = q.run(*args)
                assert result.code != 0 and "http" in result.err, result
                q.env[name] = before
                count += 1
        assert not heard()
    report("T3", "endpoints in clear text, or with a user name", count, "refused, no connection")


def peak(q, *args):
    """Run it to its end: exit code, peak of its memory in KiB, what it said."""
    process = q.start(*args, stdout=subprocess.DEVNULL)
    said = process.without_log(process.stderr.read()).decode()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss, said


FLOODS = ("bomb", "long-line", "interim-bomb", "trailer-bomb", "fields-257", "fields-10000")
TRICKS = (
    "gzip",
    "gzip-bomb",
    "gzip-transfer",
    "length-then-chunks",
    "chunks-then-length",
    "two-lengths",
    "list-of-lengths",
    "negative-length",
    "endless-length",
    "chunked-twice",
    "unknown-coding",
    "blank-before-colon",
    "chunk-overflow",
    "chunk-overflow-by-one",
    "chunk-of-all-bits",
    "negative-chunk",
)
FAULTS = ("encod", "length", "malformed", "not valid HTTP", "cut off")


def growth(q, peers, paths, words, count):
    """The worst that peers do to the command's memory, in MiB beyond an ordinary answer's."""
    listeners = ("plain", "tls")
    usual, worst = {}, 0
    for listener in listeners:
        q.env["Q_ENDPOINT_URL"] = peers.url(listener, "/ok")
        usual[listener] = max(peak(q, *ASK)[1] for _ in range(3))
    for path in paths:
        for listener in listeners:
            q.env["Q_ENDPOINT_URL"] = peers.url(listener, "/" + path)
            for _ in range(count):
                code, kib, said = peak(q, *ASK)
                assert code == TEMPORARY and any(w in said for w in words), (path, code, said)
                worst = max(worst, (kib - usual[listener]) / 1024)
    return worst, count * len(paths) * len(listeners)


@in_http1
def test_a_flood_of_headers_ends_the_answer_and_takes_no_memory(q, peers):
    worst, count = growth(q, peers, FLOODS, ("header",), rounds(1, 10))
    assert SANITIZED or worst < 4
    what = "64 MiB of header, 10,000 fields, in heads, interim heads and trailers"
    report("T4", what, count, f"an error each, {max(worst, 0):.1f} MiB more at most")


@in_http1
def test_compression_and_ambiguous_lengths_are_errors_and_take_no_memory(q, peers):
    worst, count = growth(q, peers, TRICKS, FAULTS, rounds(1, 5))
    assert SANITIZED or worst < 16
    what = "gzip bomb, chunk sizes that overflow, lengths that contradict each other"
    report("T7", what, count, f"an error each, {max(worst, 0):.1f} MiB more at most")


def give_up_after(q, milliseconds):
    settings = q.db.parent / "settings.json"
    settings.touch(mode=0o600)
    settings.write_text(json.dumps({"api.timeout": milliseconds}))


def waited(q, peers, paths, count):
    """The shortest and longest time until the command gave up, in seconds."""
    times = []
    for listener, path in paths:
        q.env["Q_ENDPOINT_URL"] = peers.url(listener, path)
        for _ in range(count):
            started = time.monotonic()
            result = q.run(*ASK)
            times.append(time.monotonic() - started)
            assert result.code == TEMPORARY and "timeout" in result.err, result
    return min(times), max(times), len(times)


# How exact a deadline is, plugins/transport/timeouts proves with a clock of its own. Here the times
# are reported; a busy machine may keep a command waiting, but not until another deadline.
WAITED_S = 8


DRIPS = (("plain", "/drip-bytes"), ("plain", "/drip-fields"), ("tls", "/drip-bytes"))
STALLS = (
    ("plain", "/silent"),
    ("tls", "/silent"),
    ("h2", "/silent"),
    ("plain", "/half-head"),
    ("plain", "/trickle"),
    ("tls", "/trickle"),
    ("h2", "/trickle"),
)


@in_http1
def test_a_header_that_drips_in_is_given_up_at_the_deadline(q, peers):
    limit = 2 if LONG else 0.1
    give_up_after(q, int(limit * 1000))
    least, most, count = waited(q, peers, DRIPS, rounds(1, 5))
    assert limit * 0.9 <= least and most <= limit + WAITED_S
    what = f"a header that comes byte by byte or field by field, deadline {limit} s"
    report("T4", what, count, f"an error after {least:.2f} to {most:.2f} s")


def test_a_stalled_answer_is_given_up_at_the_deadline(q, peers, transport):
    limit = 2 if LONG else 0.1
    give_up_after(q, int(limit * 1000))
    least, most, count = waited(q, peers, STALLS, rounds(1, 5))
    assert limit * 0.9 <= least and most <= limit + WAITED_S
    what = f"stall before, in the head of and within an answer, deadline {limit} s"
    report("T6", what, count, f"an error after {least:.2f} to {most:.2f} s", transport)


@pytest.mark.skipif(not LONG, reason="plugins/transport/cancel is the short form")
def test_a_request_is_cancelled_at_any_point(transport):
    points = rounds(200, 200)
    env = {**os.environ, "AQ_TEST_CANCEL_POINTS": str(points), "AQ_TEST_SEED": str(SEED)}
    program = PROGRAMS / f"test_plugins_transport_{transport}_cancel"
    done = subprocess.run([program], env=env, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if "points, longest" in line)
    longest_ms = int(line.split()[-2]) / 1000
    what = "request cancelled at a random point of name, connection, handshake, head or body"
    report("T6", what, points, f"longest {longest_ms:.1f} ms", transport)


def plugin_test(name, **env):
    """What a test of tests/plugins/transport prints."""
    program = PROGRAMS / f"test_plugins_transport_{name}"
    env = {**os.environ, **env, "AQ_TEST_SEED": str(SEED)}
    done = subprocess.run([program], env=env, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.skipif(not LONG, reason="plugins/transport/*/hostile are the short form")
def test_a_peer_that_breaks_http2_ends_its_calls_and_takes_no_memory(transport):
    cases = [line.split() for line in plugin_test(f"{transport}_hostile") if " KiB: " in line]
    slowest, most = max(int(c[0]) for c in cases), max(int(c[2]) for c in cases) / 1024
    what = "floods of 1,048,576 frames, HPACK bombs, frames and fields that break a rule"
    outcome = f"every call ended, {slowest} ms of processor and {most:.1f} MiB more at most"
    report("T5", what, len(cases), outcome, transport)


@pytest.mark.skipif(not LONG, reason="plugins/transport/*/soak are the short form")
def test_many_short_calls_to_peers_that_come_and_go_leave_nothing_behind(transport):
    calls = rounds(2000, 100000)
    lines = plugin_test(f"{transport}_soak", AQ_TEST_SOAK_CALLS=str(calls))
    grown = next(int(line.split()[2]) for line in lines if "bytes more" in line) / 1024
    what = "short answers, refusals, resets, goodbyes and cancels, 50 at a time"
    report("T9", what, calls, f"one end each, {grown:.0f} KiB more, no descriptor", transport)


def test_an_answer_is_cancelled_at_any_point(q, service, peers, transport):
    points = rounds(20, 200)
    print(f"seed {SEED} (AQ_RELIABILITY_SEED)")
    urls = [service.url, service.tls_url, peers.url("silent")]
    urls += [peers.url(listener, path) for listener, path in STALLS]
    bundle, token = q.env["AWS_CA_BUNDLE"], q.stored()["access_token"]
    command = [PROGRAMS / "client_sweep", str(SEED), str(points), bundle, token, *urls]
    env = {**os.environ, "HOME": str(q.home), "XDG_DATA_HOME": str(q.data),
           "Q_TRANSPORT": transport}
    done = subprocess.run(command, env=env, capture_output=True, timeout=TIMEOUT_S * 4)
    assert done.returncode == 0, done.stderr.decode()
    longest_ms = json.loads(done.stdout)["longest_us"] / 1000
    assert longest_ms < 10000  # a machine may be busy; the stalls last for a minute
    what = "answer cancelled at a random point, by the service or a peer that stalls"
    report("T6", what, points, f"longest {longest_ms:.1f} ms", transport)


def test_a_question_whose_connection_is_lost_is_never_asked_again(q, service, peers, transport):
    count, total = rounds(1, 25), 0
    faults = [{"drop": when, "reset": reset} for when in ("before", "after") for reset in (0, 1)]
    for entry in ("url", "tls_url"):
        q.env["Q_ENDPOINT_URL"] = getattr(service, entry)
        for fault in faults * count:
            service.reset()
            service.fault(CHAT, drop=fault["drop"], reset=bool(fault["reset"]))
            result = q.run(*ASK)
            assert result.code == TEMPORARY, result
            assert service.calls(CHAT) == 1
            total += 1
    for listener in ("plain", "tls", "h2"):
        path = "/reset-at-once" if listener == "h2" else "/close"
        q.env["Q_ENDPOINT_URL"] = peers.url(listener, path)
        for _ in range(count):
            before = peers.ask("requests", path)
            assert q.run(*ASK).code == TEMPORARY
            assert peers.ask("requests", path) == before + 1
            total += 1
    report("T10", "connection lost after the question was sent", total, "asked once each", transport)
