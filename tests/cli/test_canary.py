# SPDX-License-Identifier: Apache-2.0
"""
Where secrets turn up: in the database, on the wire and in the output that was asked for.

Every kind of success and of failure runs at the most verbose level under strace. Then the secrets
are looked for in what was written, by whichever call and to whichever descriptor, in what was
printed, and in every file that is left.
"""

import base64
import json
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest
from command import BINARY, SANITIZED, TOKEN_KEY
from peers import read_head
from qservice import seed

EXPORT = ("user", "export-token")
REFRESHED = (*EXPORT, "--force-refresh")
CHAT = ("chat", "--no-interactive", "Who?")
REFRESH, ANSWER = "CreateToken:refresh_token", "GenerateAssistantResponse"
PASSWORD = "canary-of-the-proxy-5f1e"
CALLS = "write,writev,pwrite64,pwritev,pwritev2,send,sendto,sendmsg,sendmmsg,execve,prctl"
PIECE = 12  # so much of a secret is a leak
# The command does not let its own user look into its memory, so strace sees no bytes either.
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can see what is written")

pytestmark = pytest.mark.skipif(
    SANITIZED or not shutil.which("strace"), reason="a leak checker and strace exclude each other"
)


class Canaries:
    """The secrets of a login, and how they look in other clothes."""

    def __init__(self, *secrets):
        self.found = {}
        for secret in secrets:
            self.add(secret)

    def add(self, secret):
        text = secret.encode()
        middle = len(text) // 2
        for piece in (text[:PIECE], text[middle : middle + PIECE], text[-PIECE:]):
            self.found[piece] = secret
        for shift in range(3):
            coded = base64.b64encode(b"x" * shift + text)[4 * (shift > 0) : -4]
            self.found[coded[:24]] = secret

    def of_row(self, text):
        """Also those of a token or a registration as it is stored."""
        for name in ("access_token", "refresh_token", "client_secret"):
            for value in re.findall(rf'"{name}": ?"([^"]{{{2 * PIECE},}})"', text):
                self.add(value)

    def within(self, data):
        return [secret for piece, secret in self.found.items() if piece in data]


class Spy:
    """Runs commands and looks for the secrets of the login that is in the database."""

    def __init__(self, q, service, login):
        self.q, self.service, self.login = q, service, login
        self.canaries = Canaries(login["access_token"], login["refresh_token"])
        self.canaries.add(login["client_secret"])
        self.canaries.add(PASSWORD)
        self.allowed = [q.db, Path(f"{q.db}-journal"), Path(f"{q.db}-wal"), Path(f"{q.db}-shm")]
        for name in ("TMPDIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            (q.home / name).mkdir(mode=0o700)
            q.env[name] = str(q.home / name)
        self.logs = q.home.parent / f"{q.home.name}.strace"

    def start(self, *args, **options):
        args = ["-f", "-yy", "-s", "65536", "-e", f"trace={CALLS}", "-e", "signal=none",
                "-o", self.logs, BINARY, *args]  # fmt: skip
        return self.q.start(*args, program=shutil.which("strace"), **options)

    def run(self, *args, **options):
        process = self.start(*args, **options)
        out, err = process.communicate(timeout=60)
        return process.returncode, out or b"", err or b""

    def check(self, out, err, asked=False):
        """No secret in what came out, was written or is left; asked: stdout may have them."""
        try:
            self.canaries.of_row(self.q.row())
        except (sqlite3.Error, TypeError, OSError):
            pass  # the case has spoilt it
        assert not self.canaries.within(err), err
        assert asked or not self.canaries.within(out), out
        self._check_written(self.logs.read_bytes(), asked)
        for path in self.q.home.rglob("*"):
            if path.is_file() and not self._is_allowed(path):
                assert not self.canaries.within(path.read_bytes()), path

    def _check_written(self, log, asked):
        started = [line for line in log.splitlines() if b"execve(" in line]
        assert len(started) == 1, started  # nobody else was told anything
        for line in log.splitlines():
            if self.canaries.within(line):
                assert self._may_be_written(line, asked), line

    def _may_be_written(self, line, asked):
        to = re.search(rb"(?:p?writev?2?(?:64)?|send\w*)\((\d+)<(.*?)>[,>]", line)
        assert to, line
        return (
            (asked and to[1] == b"1")
            or to[2].startswith(b"TCP:[")
            or self._is_allowed(Path(os.fsdecode(to[2])))
        )

    def _is_allowed(self, path):
        return path in self.allowed or path.parent in self.allowed


@pytest.fixture
def spy(online, service):
    login = service.seed(online.db, profile="arn:aws:codewhisperer:us-east-1:1:profile/CANARY")
    watcher = Spy(online, service, login)
    yield watcher
    watcher.logs.unlink(missing_ok=True)


# ---- what was asked for ----


@pytest.mark.parametrize(
    "args",
    [
        *[(*EXPORT, "--format", name) for name in ("json", "json-pretty", "token", "header", "env",
                                                   "fish", "exec-credential")],
        (*EXPORT, "--format", "fish", "--with-refresh-token"),
        (*EXPORT, "--access-only"),
        REFRESHED,
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_token_that_is_asked_for_is_on_standard_output_alone(spy, args):
    code, out, err = spy.run(*args)
    assert code == 0, err
    spy.check(out, err, asked=True)
    assert spy.canaries.within(out)  # so the check can fail


@needs_root
def test_what_is_written_is_seen(spy):
    """So that the check of every case below can fail."""
    assert spy.run(*EXPORT)[0] == 0
    with pytest.raises(AssertionError):
        spy.check(b"", b"", asked=False)  # written to standard output, where nobody had asked


def test_a_client_secret_is_never_asked_for(spy):
    only = Canaries(spy.login["client_secret"])
    for name in ("json-pretty", "exec-credential"):
        _, out, err = spy.run(*REFRESHED, "--format", name)
        assert not only.within(out + err)


def test_a_token_for_another_descriptor_is_there_alone(spy):
    path = spy.q.home / "asked"
    spy.allowed.append(path)
    spy.q.asked.append(path)
    with path.open("wb") as asked:
        code, out, err = spy.run(*EXPORT, f"--output-fd={asked.fileno()}",
                                 pass_fds=[asked.fileno()])  # fmt: skip
    assert (code, out) == (0, b"")
    assert spy.canaries.within(path.read_bytes())
    spy.check(out, err)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("whoami",), 0),
        (("whoami", "--format", "json-pretty"), 0),
        (CHAT, 0),
        (("version",), 0),
        (("--help",), 0),
        ((*EXPORT, "--help"), 0),
        (EXPORT[:1], 2),
        ((*EXPORT, "--format", "nothing"), 2),
        (("whoami", "--source", "kiro-cli"), 4),
        (("whoami", "--store", "nowhere"), 3),
        ((*EXPORT, "--min-valid", "2d"), 5),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_asks_for_no_token_prints_none(spy, args, code):
    got, out, err = spy.run(*args)
    assert got == code, err
    spy.check(out, err)


# ---- what fails ----


def oidc(error, **more):
    return {"status": 400, "content_type": "application/json", "body": {"error": error, **more}}


def repeating(what, secret):
    """The fault with the secret in place of its name, every time."""
    fault = json.loads(json.dumps(what).replace("SECRET", secret))
    if isinstance(fault.get("body"), dict):
        fault["body"] = json.dumps(fault["body"])
    return {"times": -1, **fault}


REFUSED = {
    "invalid_grant": (oidc("invalid_grant", error_description="bad SECRET"), 6),
    "invalid_client": (oidc("invalid_client", error_description="SECRET"), 6),
    "slow_down": (oidc("slow_down", error_description="SECRET"), 5),
    "unknown": (oidc("SECRET", error_description="SECRET"), 5),
    "message": (oidc("invalid_request", message="SECRET", reason="SECRET"), 6),
    "html": ({"status": 502, "content_type": "text/html", "body": "<b>SECRET</b>"}, 5),
    "header": ({"status": 500, "headers": {"x-amzn-requestid": "SECRET"}, "body": "{}"}, 5),
    "type": ({"status": 400, "headers": {"x-amzn-errortype": "SECRET"}, "body": "{}"}, 5),
    "redirect": ({"redirect": "http://127.0.0.1:1/SECRET"}, 5),
    "no JSON": ({"body": "SECRET"}, 5),
    "number": ({"body": {"accessToken": 1, "refreshToken": "SECRET", "expiresIn": 3600}}, 5),
    "lifetime": ({"body": {"accessToken": 1, "expiresIn": "SECRET"}}, 5),
    "line break": ({"body": {"accessToken": "SECRET\r\nx: y", "expiresIn": 3600}}, 5),
}


@pytest.mark.parametrize("secret", ["access_token", "refresh_token", "client_secret"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_refresh_that_is_refused_in_the_words_of_the_secret(spy, name, secret):
    what, code = REFUSED[name]
    spy.service.fault(REFRESH, **repeating(what, spy.login[secret]))
    got, out, err = spy.run(*REFRESHED)
    assert got == code, err
    assert out == b""
    spy.check(out, err)


FAILED = {
    "validation": ({"error": {"code": "ValidationException", "message": "SECRET",
                              "status": 400}}, 7),
    "denied": ({"error": {"code": "AccessDeniedException", "message": "bad SECRET",
                          "reason": "SECRET", "status": 403}}, 7),
    "quota": ({"error": {"code": "ServiceQuotaExceededException", "message": "SECRET",
                         "status": 402}}, 7),
    "unknown": ({"error": {"code": "SECRET", "message": "SECRET", "status": 400}}, 7),
    "html": ({"status": 404, "content_type": "text/html", "body": "<b>SECRET</b>"}, 7),
    "redirect": ({"redirect": "http://127.0.0.1:1/SECRET"}, 5),
    "request id": ({"status": 400, "body": "{}", "headers": {"x-amzn-requestid": "SECRET"}}, 7),
    "error frame": ({"error_frame": {"at": 1, "code": "SECRET", "message": "SECRET"}}, 7),
    "exception": ({"exception_frame": {"at": 1, "type": "validationError", "message": "SECRET",
                                       "reason": "SECRET"}}, 7),
    "exception type": ({"exception_frame": {"at": 1, "type": "SECRET", "message": "?"}}, 7),
    "bad checksum": ({"bad_crc": 1, "headers": {"x-amzn-requestid": "SECRET"}}, 5),
    "cut": ({"cut": {"frame": 1, "offset": 9}, "headers": {"x-amzn-requestid": "SECRET"}}, 5),
    "compressed": ({"gzip": True, "headers": {"x-amzn-requestid": "SECRET"}}, 5),
    "media type": ({"content_type": "text/SECRET", "status": 200, "body": "SECRET"}, 5),
    "state": ({"insert": [{"at": 1, "event": ["invalidStateEvent", {
        "reason": "SECRET", "message": "SECRET"}]}]}, 0),
    "event": ({"insert": [{"at": 1, "event": ["SECRET", {"x": "SECRET"}]}]}, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILED)
def test_an_answer_that_fails_in_the_words_of_the_token(spy, name):
    """The service knows no other secret."""
    what, code = FAILED[name]
    spy.service.fault(ANSWER, **repeating(what, spy.login["access_token"]))
    got, out, err = spy.run(*CHAT)
    assert got == code, err
    spy.check(out, err)


def test_a_token_that_the_service_no_longer_takes(spy):
    error = {"code": "ExpiredTokenException", "message": spy.login["access_token"], "status": 403}
    spy.service.fault(ANSWER, error=error, times=-1)
    code, out, err = spy.run(*CHAT)
    assert (code, out) == (6, b""), err
    spy.check(out, err)


def test_a_certificate_that_nobody_knows(spy):
    spy.q.env["Q_ENDPOINT_URL"] = spy.q.env["AWS_ENDPOINT_URL_SSO_OIDC"] = spy.service.tls_url
    for args in (REFRESHED, CHAT):
        code, out, err = spy.run(*args)
        assert (code, out) == (5, b""), err
        spy.check(out, err)


@needs_root
def test_nothing_is_plain_on_a_connection_that_is_not(spy):
    spy.q.env["Q_ENDPOINT_URL"] = spy.q.env["AWS_ENDPOINT_URL_SSO_OIDC"] = spy.service.tls_url
    for args in (REFRESHED, CHAT):
        code, out, err = spy.run(*args, f"--ca-bundle={spy.service.ca}")
        assert code == 0, err
        spy.check(out, err, asked=args == REFRESHED)
        sent = [line for line in spy.logs.read_bytes().splitlines() if b"TCP:[" in line]
        assert sent and not spy.canaries.within(b"\n".join(sent))


class Proxy:
    """Refuses everybody, in the words of their password."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.heard = self.server.getsockname()[1], b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                self.heard += read_head(connection)
                reply = f"HTTP/1.1 407 {PASSWORD}\r\nx: {PASSWORD}\r\ncontent-length: 0\r\n\r\n"
                connection.sendall(reply.encode())


@pytest.mark.parametrize("how", ["refuses", "is not there", "is no URL"])
def test_a_proxy_with_a_password(spy, how):
    proxy = Proxy()
    port = proxy.port if how == "refuses" else 1
    form = "http://user:{}@127.0.0.1:{}" if how != "is no URL" else "htp://user:{}@[:{}"
    spy.q.env["HTTPS_PROXY"] = form.format(PASSWORD, port)
    spy.q.env["AWS_ENDPOINT_URL_SSO_OIDC"] = spy.service.tls_url
    code, out, err = spy.run(*REFRESHED, f"--ca-bundle={spy.service.ca}")
    proxy.server.close()
    assert (code, out) in ((5, b""), (2, b"")), err
    assert how != "refuses" or b"Proxy-Authorization: Basic" in proxy.heard
    spy.check(out, err)


SPOILT = {
    "cut off": lambda row: row[: len(row) // 2],
    "more behind": lambda row: row + row,
    "not JSON": lambda row: row.replace('"', ""),
    "line break": lambda row: row.replace("aoa", "aoa\\n", 1),
    "no access token": lambda row: row.replace('"access_token"', '"access"'),
    "time": lambda row: with_secret(row, "(?:client_secret_)?expires_at"),
    "region": lambda row: with_secret(row, "region"),
    "start": lambda row: with_secret(row, "start_url"),
    "flow": lambda row: with_secret(row, "oauth_flow"),
    "name": lambda row: row[:-1] + "," + secret_of(row) + ":1}",
    "twice": lambda row: row[:-1] + ',"access_token":' + secret_of(row) + "}",
    "bytes": lambda row: row.encode(),
    "not UTF-8": lambda row: row.encode().replace(b"aoa", b"aoa\xff"),
    "deep": lambda row: row[:-1] + ',"x":' + "[" * 2000 + secret_of(row) + "]" * 2000 + "}",
}


def secret_of(row):
    return re.search('"(?:refresh_token|client_secret)":(".*?")', row)[1]


def with_secret(row, member):
    """The row with a secret for the value of this member."""
    return re.sub(f'("{member}"):".*?"', lambda found: f"{found[1]}:{secret_of(row)}", row)


def spoilt():
    for key, where in ((TOKEN_KEY, "token"), (seed.REGISTRATION_KEY, "registration")):
        for name in SPOILT:
            yield pytest.param(name, key, id=f"{name}, {where}")


@pytest.mark.parametrize(("name", "key"), spoilt())
def test_a_row_that_is_spoilt(spy, name, key):
    row = spy.q.row(key)
    connection = sqlite3.connect(spy.q.db)
    with connection:
        seed.put(connection, "auth_kv", key, SPOILT[name](row))
    connection.close()
    for args in (("whoami",), REFRESHED):
        code, out, err = spy.run(*args)
        assert code in (0, 2, 3, 4, 5, 6, 7), err
        spy.check(out, err, asked=code == 0 and args == REFRESHED)


@pytest.mark.parametrize("expired", [False, True])
def test_a_login_that_cannot_be_refreshed(spy, expired):
    """There is nobody to ask."""
    spy.q.env["AWS_ENDPOINT_URL_SSO_OIDC"] = "http://127.0.0.1:1"
    if expired:
        row = re.sub('"expires_at":"....', '"expires_at":"2020', spy.q.row())
        connection = sqlite3.connect(spy.q.db)
        with connection:
            seed.put(connection, "auth_kv", TOKEN_KEY, row)
        connection.close()
    for args in (EXPORT, REFRESHED, (*EXPORT, "--no-refresh"), ("whoami",), CHAT):
        code, out, err = spy.run(*args)
        assert code in (0, 5), err
        spy.check(out, err, asked=code == 0 and args[:2] == EXPORT)


def test_an_output_that_cannot_be_written(spy):
    with open("/dev/full", "wb") as full:
        code, out, err = spy.run(*EXPORT, stdout=full)
    assert code == 1
    spy.check(out, err, asked=True)


@pytest.mark.parametrize(("args", "operation"), [(REFRESHED, REFRESH), (CHAT, ANSWER)])
def test_an_interrupted_command_and_what_can_be_seen_of_it(spy, args, operation):
    spy.service.fault(operation, hold="after")
    process = spy.start(*args)
    spy.service.wait(operation, held=1)
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    for name in ("cmdline", "environ", "comm"):
        try:
            assert not spy.canaries.within(Path(f"/proc/{child}/{name}").read_bytes())
        except PermissionError:
            pass  # nobody but root may look
    os.kill(child, signal.SIGINT)
    spy.service.release()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b""), err
    spy.check(out, err)


def test_what_could_not_be_saved_is_in_a_private_file_alone(spy):
    (spy.q.db.parent / "settings.json").write_text('{"store.sqlite.busy_timeout_ms": 50}')
    (spy.q.db.parent / "settings.json").chmod(0o600)
    spill = spy.q.home / "XDG_STATE_HOME" / "amazonq"
    spy.service.fault(REFRESH, hold="after")
    process = spy.start(*REFRESHED)
    spy.service.wait(REFRESH, held=1)
    other = sqlite3.connect(spy.q.db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    spy.service.release()
    while not list(spill.glob("*.json")):
        assert process.poll() is None
    spy.canaries.of_row(next(spill.glob("*.json")).read_text())
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    os.kill(child, signal.SIGTERM)
    other.execute("ROLLBACK")
    other.close()
    out, err = process.communicate(timeout=60)
    spy.allowed.append(spill)
    spy.check(out, err, asked=True)


# ---- what the system would show ----


def held(online, service, **options):
    service.seed(online.db, expires_in=-60)
    service.fault(REFRESH, hold="before", times=-1)
    process = online.start(*EXPORT, **options)
    service.wait(REFRESH, held=1)  # the secrets have been read
    return process


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV])
def test_no_core_even_where_the_shell_wants_one(online, service, number):
    def wish():
        most = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))

    process = held(online, service, preexec_fn=wish)
    process.send_signal(number)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -number
    process.communicate()
    assert os.WTERMSIG(status) == number
    assert not os.WCOREDUMP(status)
    assert {path.name for path in online.home.iterdir()} == {"data"}


ATTACH = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
attached = libc.ptrace(16, int(sys.argv[1]), None, None)  # PTRACE_ATTACH
print(attached, ctypes.get_errno())
for name in ("mem", "environ", "maps"):
    try:
        open(f"/proc/{sys.argv[1]}/{name}", "rb").read(1)
        print(name)
    except PermissionError:
        pass
"""


@needs_root
def test_another_process_of_the_same_user_cannot_attach(online, service):
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    online.home.chmod(0o755)
    service.seed(online.db, expires_in=-60)
    for path in (online.data, *online.data.rglob("*")):
        os.chown(path, 65534, 65534)
    service.fault(REFRESH, hold="before")
    try:
        process = online.start(*EXPORT, **nobody)
    except PermissionError:
        pytest.skip("the build is out of reach for others")
    service.wait(REFRESH, held=1)
    command = ["/usr/bin/python3", "-c", ATTACH, str(process.pid)]
    tried = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", **nobody)
    service.release()
    assert process.communicate(timeout=60)[0]
    assert tried.stdout == "-1 1\n"
