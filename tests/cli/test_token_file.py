# SPDX-License-Identifier: Apache-2.0
"""A token that somebody hands in, as CI systems and orchestrators do: no login, no database."""

import fcntl
import json
import os
import re
import shutil
import signal
import termios
from pathlib import Path

import pytest
from broker import until
from command import BINARY, OPEN_TO_OTHERS, SANITIZED
from mounts import ROOT, mounts, needs_mounts

CHAT = ("chat", "--no-interactive", "hello")
EXPORT = ("user", "export-token", "--quiet")
CALL = "GenerateAssistantResponse"
RENEW = "nothing here can renew it, put a new token there"
FUTURE = "2099-01-01T00:00:00Z"


class Secret:
    """The file of the secret; what is put there takes the place of what was."""

    def __init__(self, path):
        self.path = path

    def put(self, content, mode=0o400):
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(content if isinstance(content, bytes) else content.encode())
        fresh.chmod(mode)
        fresh.replace(self.path)


@pytest.fixture
def secret(q):
    """Where Q_TOKEN_FILE says; there is nothing yet."""
    directory = q.home / "secrets"
    directory.mkdir(mode=0o700)
    q.env["Q_TOKEN_FILE"] = str(directory / "token")
    q.asked.append(directory / "token")
    return Secret(directory / "token")


def accepted(service, **options):
    """An access token that the service accepts."""
    return service.control("login", **{"expires_in": 3600, **options})["access_token"]


# ---- at work ----


def test_a_question_is_answered_with_a_bare_token(online, service, secret):
    secret.put(accepted(service) + "\n")
    result = online.run(*CHAT)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("You asked: hello\n")


def test_what_export_token_prints_can_be_handed_in(online, service, secret, q):
    service.seed(q.db, profile="arn:aws:codewhisperer:us-east-1:111122223333:profile/X")
    del q.env["Q_TOKEN_FILE"]
    exported = q.run(*EXPORT)
    assert exported.json["refresh_token"]
    shutil.rmtree(q.data)
    q.env["Q_TOKEN_FILE"] = str(secret.path)
    secret.put(exported.out)
    again = q.run(*EXPORT).json
    expected = {k: v for k, v in exported.json.items() if k != "refresh_token"}
    assert {**again, "expires_in": 0} == {**expected, "expires_in": 0}
    assert q.run(*CHAT).code == 0


def test_what_the_database_holds_can_be_handed_in(online, login, secret):
    secret.put(online.row())
    shutil.rmtree(online.data)
    assert online.run(*CHAT).code == 0


def test_a_secret_that_is_swapped_is_seen_by_the_next_call(q, secret):
    """As Kubernetes mounts one: token -> ..data/token, and ..data is replaced."""
    place = secret.path.parent
    for version in ("one", "two"):
        (place / version).mkdir()
        (place / version / "token").write_text(f"token-{version}\n")
        (place / version / "token").chmod(0o600)
        (place / "..new").symlink_to(version)
        (place / "..new").replace(place / "..data")
        if version == "one":
            secret.path.symlink_to("..data/token")
        assert q.run(*EXPORT, "--format", "token").out == f"token-{version}\n"


def test_a_token_in_a_pipe_works(online, service):
    end, start = os.pipe()
    os.write(start, accepted(service).encode())
    os.close(start)
    online.env["Q_TOKEN_FD"] = str(end)
    result = online.run(*CHAT, pass_fds=[end])
    os.close(end)
    assert (result.code, result.err) == (0, "")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_ends_the_wait_for_a_pipe_whose_writer_stays(q, number, code):
    end, start = os.pipe()
    os.write(start, b"half")
    q.env["Q_TOKEN_FD"] = str(end)
    process = q.start(*CHAT, pass_fds=[end])
    until(lambda: fcntl.ioctl(end, termios.FIONREAD, bytes(4)) == bytes(4), "that it reads")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    os.close(start)
    os.close(end)
    assert process.returncode == code, err


def test_a_file_on_a_descriptor_works_whatever_its_position(q, secret):
    secret.put("first-token")
    q.env["Q_TOKEN_FD"] = "7"
    script = 'exec 7<secrets/token; "$Q" user export-token -f token --quiet; read x <&7; echo "$x"'
    assert q.shell(script).out == "first-token\nfirst-token\n"


def test_a_service_of_systemd_finds_its_credential(online, service):
    """LoadCredential=amazonq-token:... makes a directory that only the service can read."""
    directory = online.home / "credentials"
    directory.mkdir(mode=0o700)
    online.env["CREDENTIALS_DIRECTORY"] = str(directory)
    assert online.run("whoami").code == 4  # it has credentials, but none for us
    credential = Secret(directory / "amazonq-token")
    online.asked.append(credential.path)
    credential.put(accepted(service))
    assert online.run(*CHAT).code == 0
    assert "Store:   token-file\n" in online.run("whoami").out


# ---- which store it is ----


def test_who_names_a_store_or_a_database_gets_it(online, login, secret):
    secret.put("handed-in")
    stored = online.stored()["access_token"]
    export = (*EXPORT, "--format", "token")
    assert online.run(*export).out == "handed-in\n"
    assert online.run(*export, "--store", "sqlite").out == stored + "\n"
    assert online.run(*export, "--db", str(online.db)).out == stored + "\n"
    online.env["Q_STORE"] = "sqlite"
    assert online.run(*export).out == stored + "\n"
    assert online.run(*export, "--store", "token-file").out == "handed-in\n"
    del online.env["Q_STORE"]
    settings = online.data / "amazon-q" / "settings.json"
    settings.write_text('{"store": "sqlite"}')
    settings.chmod(0o600)
    assert online.run(*export).out == "handed-in\n"  # the environment counts before the file


def test_of_several_the_descriptor_counts_then_the_file_then_the_directory(q, secret):
    (q.home / "amazonq-token").write_text("of-the-directory")
    q.env["CREDENTIALS_DIRECTORY"] = str(q.home)
    secret.put("of-the-file")
    export = '"$Q" user export-token -f token --quiet'
    assert q.shell(export).out == "of-the-file\n"
    script = f"echo of-the-pipe | {{ exec 8<&0; Q_TOKEN_FD=8 {export}; }}"
    assert q.shell(script).out == "of-the-pipe\n"
    del q.env["Q_TOKEN_FILE"]
    assert q.shell(export).out == "of-the-directory\n"


def test_a_wish_for_one_program_s_login_is_met_too(q, secret):
    secret.put("handed-in")
    assert q.run(*EXPORT, "--source", "kiro-cli", "--format", "token").out == "handed-in\n"


# ---- until when it is valid ----


def test_a_token_without_an_expiry_is_exported_without_one(q, secret):
    secret.put("bare-token")
    assert q.run(*EXPORT).json == {
        "access_token": "bare-token",
        "token_type": "Bearer",
        "source": "q-cli",
        "schema_version": 1,
    }
    assert q.run(*EXPORT, "--format", "env").out == "export Q_ACCESS_TOKEN='bare-token'\n"
    status = q.run(*EXPORT, "--format", "exec-credential").json["status"]
    assert status == {"token": "bare-token"}


@pytest.mark.parametrize("wish", ["0", "10m"])
def test_a_token_without_an_expiry_promises_no_validity(q, secret, wish):
    secret.put("bare-token")
    result = q.run(*EXPORT, "--min-valid", wish)
    assert (result.code, result.out) == (5, ""), result
    assert f"token file {secret.path}: {RENEW} (without an expiry, " in result.err


def test_whoami_says_what_is_not_known(q, secret):
    secret.put("bare-token")
    assert q.run("whoami").out == (
        "Logged in with an access token\nExpires: unknown\nSource:  q-cli\nStore:   token-file\n"
    )
    assert q.run("whoami", "-f", "json").json == {
        "accountType": None,
        "startUrl": None,
        "region": None,
        "source": "q-cli",
        "store": "token-file",
    }


def test_an_expired_token_is_named_with_its_file_and_the_fix(online, service, secret):
    secret.put('{"access_token":"a","expires_at":"2020-01-01T00:00:00Z","refresh_token":"r"}')
    why = f"q: token file {secret.path}: {RENEW} (expired at 2020-01-01T00:00:00Z)\n"
    for args in (EXPORT, (*EXPORT, "--no-refresh"), CHAT):
        result = online.run(*args)
        assert (result.code, result.out, result.err) == (5, "", why)
    who = online.run("whoami")
    assert (who.code, who.err) == (5, why)
    assert "Expires: 2020-01-01T00:00:00Z (expired)\n" in who.out
    assert service.calls("CreateToken") == 0


def test_a_token_that_does_not_last_long_enough_says_how_long(q, secret):
    secret.put(json.dumps({"access_token": "a", "expires_at": FUTURE}))
    assert q.run(*EXPORT, "--min-valid", "365d").code == 0
    assert q.run(*EXPORT, "--force-refresh").code == 5
    assert f"{RENEW} (another one was asked for)" in q.run(*EXPORT, "--force-refresh").err


def test_a_token_that_the_service_rejects_is_exit_code_6(online, service, secret):
    secret.put("made-up")
    result = online.run(*CHAT)
    assert (result.code, result.out) == (6, ""), result
    assert f"token file {secret.path}: {RENEW} (the service has rejected its token)" in result.err


def test_a_token_that_was_replaced_while_the_service_rejected_it_is_used(online, service, secret):
    secret.put("stale")
    service.fault(CALL, hold="before")
    process = online.start(*CHAT)
    service.wait(CALL, held=1)
    secret.put(accepted(service))
    service.release()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.startswith(b"You asked: hello\n")


# ---- what is wrong ----


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no token, write what `q user export-token` prints"),
        (b"\r\n", "holds no token"),
        (b"null\n", "holds no token"),
        (b'"CANARY"\n', "a token in quotes, write it without (jq -r)"),
        (b"Authorization: Bearer CANARY\n", "neither JSON nor a token (byte 14 cannot be in one)"),
        (b"CANARY\0", "(byte 6 cannot be in one)"),
        (b"C\0A\0N\0A\0R\0Y\0", "(byte 1 cannot be in one)"),
        (b"CANARY\nCANARY\n", "(byte 6 cannot be in one)"),
        (b'{"access_token":"CANARY"', "malformed JSON at byte 24"),
        (b'{"access_token":"CANARY\0"}', "malformed JSON at byte 23"),
        (b'{"token":"CANARY"}', "no access_token"),
        (b'{"access_token":["CANARY"]}', "access_token is not a string"),
        (b'{"access_token":"CANARY","expires_at":"CANARY"}', "no valid expires_at"),
        (b"CANARY" * 3000, "a token of more than 16,384 bytes"),
        (b"CANARY" * 200_000, "larger than 1 MiB"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else "",
)
def test_wrong_content_is_named_with_cause_and_fix_and_never_shown(q, secret, content, says):
    secret.put(content)
    result = q.run("whoami")
    assert (result.code, result.out) == (3, ""), result
    assert f"q: token file {secret.path}: " in result.err and says in result.err
    assert re.search("write what|put a new token there|write it without|it must hold", result.err)
    assert "CANARY" not in result.err and "odic" not in result.err
    assert result.err.count("\n") == 1


def test_json_that_is_no_token_says_first_what_is_wrong_with_it(q, secret):
    secret.put('{"token":"x"}')
    result = q.run(*EXPORT)
    assert result.err == f"q: token file {secret.path}: no access_token, put a new token there\n"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_end_of_a_line_does_not_matter(q, secret, end):
    secret.put("bare-token" + end)
    assert q.run(*EXPORT, "--format", "token").out == "bare-token\n"


def test_nothing_there_is_named_and_nobody_is_told_to_log_in(q, secret):
    result = q.run("whoami")
    assert result.code == 3
    assert result.err == (
        f"q: token file {secret.path}: there is no such file, "
        "put a token there or correct the path\n"
    )


def test_a_directory_and_a_device_are_no_file(q, secret):
    secret.path.mkdir()
    assert "not a regular file, name the file that holds the token" in q.run("whoami").err
    q.env["Q_TOKEN_FILE"] = "/dev/null"
    assert "not a regular file" in q.run("whoami").err


def test_a_pipe_in_place_of_a_file_is_told_where_pipes_go(q, secret):
    os.mkfifo(secret.path)
    result = q.run("whoami")
    assert result.code == 3 and "pass it on as Q_TOKEN_FD" in result.err


@pytest.mark.skipif(not ROOT, reason="needs root, to become somebody else")
@pytest.mark.skipif(not OPEN_TO_OTHERS, reason="the build tree is closed to other users")
def test_a_file_of_somebody_else_says_who_may_not_read_it(q, secret):
    secret.put("bare-token", mode=0o400)
    for path in (q.home, secret.path.parent):
        path.chmod(0o711)
    result = q.run("whoami", user=65534, group=65534, extra_groups=[], cwd="/")
    assert result.code == 3
    assert f"token file {secret.path}: may not be read by user 65534" in result.err


def test_a_file_that_all_can_read_is_a_warning(q, secret):
    secret.put("bare-token", mode=0o444)
    result = q.run("whoami")
    assert result.code == 0
    assert result.err == (
        f"q: warning: token file {secret.path}: every user of this machine can read it, "
        "make it 0400 if you can\n"
    )
    assert q.run("whoami", "--quiet").err == ""


@pytest.mark.parametrize(
    ("name", "value", "code", "says"),
    [
        ("Q_TOKEN_FILE", "secrets/token", 2, "is not an absolute path"),
        ("Q_TOKEN_FD", "0", 2, "must be a whole number between 3 and"),
        ("Q_TOKEN_FD", "one", 2, "must be a whole number"),
        ("Q_TOKEN_FD", "99", 3, "neither an open file nor a pipe, start the program with 99<FILE"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(q, name, value, code, says):
    q.env[name] = value
    result = q.run("whoami")
    assert result.code == code and says in result.err


def test_a_token_file_has_no_database(q, secret):
    result = q.run("whoami", "--store", "token-file", "--db", "x.sqlite3")
    assert result.code == 2 and "has no database file" in result.err


# ---- secrets, and what is left behind ----


def test_the_token_is_in_no_argument_and_in_no_environment(online, service, secret):
    token = accepted(service)
    secret.put(token)
    service.fault(CALL, hold="before")
    process = online.start(*CHAT)
    service.wait(CALL, held=1)
    seen = b""
    for name in ("cmdline", "environ"):
        # nobody may look into a process that guards secrets, unless it is root
        try:
            seen += Path(f"/proc/{process.pid}/{name}").read_bytes()
        except PermissionError:
            pass
    service.release()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and b"Q_TOKEN_FILE" in seen or not ROOT
    assert token.encode() not in seen + err + out


def test_nothing_is_written_and_no_file_is_opened_for_writing(online, service, secret):
    strace = shutil.which("strace")
    if not strace or SANITIZED:
        pytest.skip("needs strace, and a command without sanitizers")
    secret.put(json.dumps({"access_token": accepted(service), "expires_at": FUTURE}))
    before = {path: path.lstat() for path in online.home.rglob("*")}
    log = online.home.parent / f"{online.home.name}.strace"
    calls = "trace=open,openat,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat"
    try:
        result = online.run("-f", "-e", calls, "-o", log, BINARY, *CHAT, program=strace)
        if result.code != 0:
            pytest.skip("strace is not permitted here")
        lines = log.read_text().splitlines()
    finally:
        log.unlink(missing_ok=True)
    assert any(str(secret.path) in line for line in lines)  # so the check can fail
    writing = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|^\d+ (creat|rename|unlink|mkdir)")
    counters = ".gcda"  # of a build that measures coverage
    assert not [line for line in lines if writing.search(line) and counters not in line]
    after = {path: path.lstat() for path in online.home.rglob("*")}
    facts = ("st_mode", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
    assert {p: [getattr(s, f) for f in facts] for p, s in before.items()} == {
        p: [getattr(s, f) for f in facts] for p, s in after.items()
    }


@needs_mounts
def test_a_home_and_a_secret_that_are_mounted_read_only_are_enough(online, service, secret):
    secret.put(accepted(service))
    with mounts() as here:
        here.run("mount", "--bind", str(online.home), str(online.home))
        here.run("mount", "-o", "remount,ro,bind", str(online.home))
        process = here.start(online, BINARY, *CHAT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.startswith(b"You asked: hello\n")
