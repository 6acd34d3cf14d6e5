# SPDX-License-Identifier: Apache-2.0
"""
A set-user-ID copy of `q`, run by a user who sets everything that could be set.

Each variable points at something that would be noticed: first in `q` itself, where it must be, so
that the check can fail, and then in the copy, where it must not be.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from command import BINARY, OPEN_TO_OTHERS, SANITIZED

PROGRAM = Path(os.environ["AQ_TEST_PRIVILEGED_Q"])
FAKES = Path(os.environ["AQ_TEST_FAKES"])
USER, GROUP, NAME = 65534, 65534, "nobody"
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups"]
REACHED = 0o755

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a program of another user"),
    pytest.mark.skipif(not OPEN_TO_OTHERS, reason="the build tree is closed to other users"),
    pytest.mark.skipif(SANITIZED, reason="a sanitizer does not go with more rights"),
    pytest.mark.skipif(not shutil.which("setpriv"), reason="setpriv is not there"),
]


class Copy:
    """`q`, with the rights of root, in the hands of a user."""

    def __init__(self, q):
        self.q = q
        self.program = q.home / "bin" / "q"
        self.program.parent.mkdir(mode=REACHED)
        shutil.copyfile(PROGRAM, self.program)
        self.program.chmod(0o4755)

    def run(self, *args, **options):
        return self.q.run(*AS_USER[1:], self.program, *args, program=AS_USER[0], **options)


@pytest.fixture
def plain(q):
    """`q` by the same hand, but with no more rights than that."""
    if subprocess.run([*AS_USER, BINARY, "version"], capture_output=True, check=False).returncode:
        pytest.skip("the build is out of reach for others")
    return lambda *args: q.run(*AS_USER[1:], BINARY, *args, program=AS_USER[0])


@pytest.fixture
def copy(q):
    made = Copy(q)
    command = [*AS_USER, "env", "LD_SHOW_AUXV=1", made.program, "version"]
    seen = subprocess.run(command, capture_output=True, text=True, check=False)
    if seen.returncode != 0 or "AT_SECURE" in seen.stdout:  # shown where the linker obeys the user
        pytest.skip("set-user-ID programs do not work here: nosuid, or the build is out of reach")
    return made


@pytest.fixture
def database(q, service):
    """A login of root's."""
    path = q.home / "root.sqlite3"
    service.seed(path)
    return path


def give(path):
    """Everything below belongs to the user."""
    for each in [path, *path.rglob("*")]:
        os.chown(each, USER, GROUP)
    return path


@pytest.fixture
def users(q, service):
    """A home of the user, with a login; settings.json is to be written."""
    home = q.home / "user"
    start_url = "https://user.example/start"
    service.seed(home / "data" / "amazon-q" / "data.sqlite3", start_url=start_url)
    q.env.update(HOME=str(home), XDG_DATA_HOME=str(home / "data"))
    return give(home)


def settings(users, **values):
    path = users / "data" / "amazon-q" / "settings.json"
    path.write_text(json.dumps(values))
    path.chmod(0o600)
    give(path)


VARIABLES = {
    "Q_STORE": "nowhere",
    "Q_SOURCE": "nowhere",
    "Q_PLUGIN_PATH": "nowhere",
    "Q_DB": "nowhere",
    "Q_TOKEN_FILE": "nowhere",
    "Q_TOKEN_FD": "99",
    "Q_TRANSPORT": "nowhere",
    "Q_ENDPOINT_URL": "nowhere",
    "AWS_ENDPOINT_URL_SSO_OIDC": "nowhere",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
    "AWS_CA_BUNDLE": "/nowhere.pem",
    "SSL_CERT_FILE": "/nowhere.pem",
    "SSL_CERT_DIR": "/nowhere",
}

def chat(database, service, *more):
    where = ("--db", str(database), "--endpoint", service.tls_url, "--ca-bundle", service.ca)
    return ("chat", "--no-interactive", *where, *more, "Who?")


@pytest.fixture
def authority(q, service):
    """The certificate of the stand-in where everybody may read it."""
    path = q.home / "ca.pem"
    shutil.copyfile(service.ca, path)
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("name", ["Q_STORE", "Q_SOURCE", "Q_DB", "Q_TOKEN_FILE", "Q_TRANSPORT"])
def test_a_variable_is_obeyed_by_the_command_and_not_by_the_copy(
    q, users, plain, copy, database, service, authority, name
):
    q.env["Q_ENDPOINT_URL"] = service.url
    assert plain("chat", "--no-interactive", "Who?").code == 0
    q.env[name] = "nowhere"
    assert "nowhere" in plain("chat", "--no-interactive", "Who?").err
    result = copy.run(*chat(database, service, "--ca-bundle", str(authority)))
    assert (result.code, result.out.startswith("You asked: Who?")) == (0, True), result
    assert "nowhere" not in copy.run("whoami").err  # nothing hides Q_DB here


@pytest.mark.parametrize(
    ("name", "operation", "ask"),
    [
        ("Q_ENDPOINT_URL", "GenerateAssistantResponse", ("chat", "--no-interactive", "Who?")),
        (
            "AWS_ENDPOINT_URL_SSO_OIDC",
            "CreateToken:refresh_token",
            ("user", "export-token", "--force-refresh"),
        ),
    ],
    ids=["service", "sign-in"],
)
def test_an_endpoint_of_the_user_is_not_called(
    q, plain, copy, users, database, service, name, operation, ask
):
    """The copy asks the real service instead, so it gets a network of its own, without anybody."""
    q.env[name] = service.url
    assert plain(*ask).code == 0
    assert service.calls(operation) == 1
    alone = ["--net", *AS_USER, copy.program, *ask, "--db", database]
    result = q.run(*alone, program="unshare")
    if "unshare:" in result.err:
        pytest.skip("no network namespace to keep the real service out")
    assert result.code == 5, result
    assert "amazonaws.com" in result.err
    assert service.calls(operation) == 1


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_user_is_not_used(q, copy, database, service, authority, name):
    q.env[name] = "http://127.0.0.1:1"
    assert q.run(*chat(database, service)).code == 5
    result = copy.run(*chat(database, service, "--ca-bundle", str(authority)))
    assert (result.code, result.err) == (0, ""), result


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_authority_of_the_user_is_not_believed(q, copy, database, service, authority, name):
    q.env[name] = str(authority)
    ask = ("chat", "--no-interactive", "--db", str(database), "--endpoint", service.tls_url, "?")
    assert q.run(*ask).code == 0
    result = copy.run(*ask)
    assert (result.code, result.out) == (5, ""), result
    assert "certificate" in result.err
    assert copy.run(*ask, "--ca-bundle", str(authority)).code == 0  # a flag is asked for


def test_session_keys_are_not_written_for_the_user(q, copy, database, service, authority):
    """libcurl itself reads this variable, and would append to any file of root's."""
    keys = q.home / "keys"
    q.env["SSLKEYLOGFILE"] = str(keys)
    assert q.run(*chat(database, service)).code == 0
    if not keys.exists():
        pytest.skip("this libcurl writes no session keys")
    keys.unlink()
    assert copy.run(*chat(database, service, "--ca-bundle", str(authority))).code == 0
    assert not keys.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"store": "nowhere"},
        {"transport": "nowhere"},
        {"plugin.path": "nowhere", "store": "other"},
        {"api.codewhisperer.service": {"endpoint": "nowhere", "region": "us-east-1"}},
        {"transport.curl.https_proxy": "http://127.0.0.1:1"},
    ],
    ids=lambda values: next(iter(values)),
)
def test_the_users_settings_are_not_read(
    users, plain, copy, database, service, authority, values
):
    settings(users, **values)
    flags = ("--endpoint", service.tls_url, "--ca-bundle", str(authority))
    if "api.codewhisperer.service" in values:
        flags = flags[2:]
    assert plain("chat", "--no-interactive", *flags, "Who?").code != 0
    result = copy.run(*chat(database, service, "--ca-bundle", str(authority)))
    assert (result.code, result.err) == (0, ""), result


def test_a_token_that_the_user_hands_in_is_not_read(q, users, plain, copy):
    token = users / "amazonq-token"
    token.write_text("of-the-user")
    give(users)
    for name, value in (("Q_TOKEN_FILE", token), ("CREDENTIALS_DIRECTORY", users)):
        q.env[name] = str(value)
        assert "token-file" in plain("whoami").out
        assert copy.run("whoami").code == 4
        del q.env[name]


def test_home_and_data_directory_of_the_user_are_not_looked_into(q, users, plain, copy):
    settings(users, store="nowhere")
    assert "nowhere" in plain("whoami").err
    (users / "data" / "amazon-q" / "settings.json").unlink()
    assert "user.example" in plain("whoami").out
    result = copy.run("whoami")
    assert "user.example" not in result.out + result.err
    assert str(users) not in result.out + result.err


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not there")
def test_no_file_of_the_user_is_opened(q, users, copy, database):
    q.env.update(VARIABLES, SQLITE_TMPDIR=str(users), TMPDIR=str(users), XDG_RUNTIME_DIR=str(users))
    q.env.update(XDG_STATE_HOME=str(users), OPENSSL_CONF=f"{users}/ssl", LD_LIBRARY_PATH=str(users))
    q.env.update(LD_PRELOAD=f"{users}/preload.so", OPENSSL_MODULES=str(users))
    settings(users, store="nowhere")
    log = q.home / "strace.log"
    # strace -u alone lets the new rights come into force.
    traced = ["-f", "-u", NAME, "-o", log, "-e", "trace=%file,connect", copy.program]
    given = [f"--env={name}={value}" for name, value in q.env.items()]
    clean = {"PATH": q.env["PATH"]}  # strace itself would obey some of them
    result = q.run(*given, *traced, "whoami", "--db", database, program="strace", env=clean)
    assert (result.code, result.err) == (0, ""), result
    text = log.read_text().split("\n", 1)[1]  # after the execve
    assert str(database) in text and "store-sqlite.so" in text
    assert str(users) not in text and "nowhere" not in text, text
    assert "connect(" not in text


@pytest.mark.parametrize(
    "args",
    [("--store", str(FAKES / "store-open.so")), ("--store", "open", "--plugin", str(FAKES))],
    ids=["path", "directory"],
)
def test_only_plugins_beside_the_library_are_loaded(q, copy, args):
    assert "does not want to be opened" in q.run("whoami", *args).err
    result = copy.run("whoami", *args, "--quiet")
    assert result.code == 3
    assert "a privileged process loads plugins from its own directory only" in result.err
