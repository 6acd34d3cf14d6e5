# SPDX-License-Identifier: Apache-2.0
"""`q broker`, and the command in a container that has nothing but its socket."""

import json
import os
import random
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from broker import Broker, until
from command import BINARY, SANITIZED, TOKEN

REFRESH = "CreateToken:refresh_token"
CALL = "GenerateAssistantResponse"
EXPORT = ("user", "export-token", "--quiet", "--store", "broker")
PROFILE = {"arn": "arn:aws:codewhisperer:us-east-1:1:profile/X", "profileName": "X"}


@pytest.fixture
def broker(online):
    made = Broker(online)
    yield made
    made.end()


@pytest.fixture
def running(broker, service):
    """A broker that serves a login which is valid for an hour."""
    service.seed(broker.command.db)
    return broker.start()


@pytest.fixture
def container(running):
    """The command where there is a socket and no login."""
    command = running.command
    command.env.update(XDG_DATA_HOME=str(command.home / "nothing"), Q_STORE="broker")
    return command


# ---- what the container gets ----


def test_a_container_exports_a_token_without_a_refresh_token(container, service):
    result = container.run("user", "export-token")
    assert result.code == 0, result
    assert result.json["access_token"] == container.stored()["access_token"]
    assert "refresh_token" not in result.json
    assert result.json["source"] == "q-cli"
    assert "REFRESH TOKEN" not in result.err  # nor is it warned of


def test_a_container_chats_and_knows_who_it_is(container, service):
    assert "You asked: hi" in container.run("chat", "--no-interactive", "hi").out
    assert "Logged in with Builder ID" in container.run("whoami").out
    assert not (container.home / "nothing").exists()


def test_a_token_that_the_service_rejects_is_replaced_by_the_broker(container, service):
    old = container.stored()["access_token"]
    message = "The bearer token included in the request is invalid."
    service.fault(CALL, error={"code": "AccessDeniedException", "message": message, "status": 403})
    result = container.run("chat", "--no-interactive", "hi")
    assert "You asked: hi" in result.out, result
    assert container.stored()["access_token"] != old
    assert service.calls(REFRESH) == 1


def test_the_profile_and_the_other_source_come_through(broker, service):
    command = broker.command
    service.seed(command.db, profile=PROFILE["arn"])
    broker.start()
    result = command.run(*EXPORT)
    assert result.json["profile_arn"] == PROFILE["arn"]
    assert command.run(*EXPORT, "--source", "q-cli").code == 0
    refused = command.run(*EXPORT, "--source", "kiro-cli")
    assert refused.code == 4
    assert "login: none in store 'broker'" in refused.err


def test_the_socket_is_found_in_the_three_places_in_their_order(running):
    command = running.command
    del command.env["XDG_RUNTIME_DIR"]
    nowhere = command.run(*EXPORT)
    assert nowhere.code == 3
    assert "nobody listens on /run/amazonq-broker/broker.sock" in nowhere.err
    command.env["Q_BROKER_SOCKET"] = str(running.socket)
    assert command.run(*EXPORT).code == 0
    command.env["XDG_RUNTIME_DIR"] = "/nonexistent"
    assert command.run(*EXPORT).code == 0


def test_without_a_broker_the_error_says_what_to_start(broker):
    result = broker.command.run(*EXPORT)
    assert result.code == 3
    assert result.err == (
        f"q: broker: nobody listens on {broker.socket}, start it on the host with: q broker\n")


@pytest.mark.parametrize(
    ("fault", "code", "text"),
    [
        ({"oidc_error": "invalid_grant"}, 6, "log in again"),
        ({"status": 500}, 5, "try again"),
    ],
    ids=["new login needed", "temporary"],
)
def test_the_host_s_own_reason_and_exit_code_come_through(broker, service, fault, code, text):
    service.seed(broker.command.db, expires_in=-60)
    service.fault(REFRESH, **fault)
    broker.start()
    result = broker.command.run(*EXPORT)
    on_host = broker.command.run("user", "export-token", "--quiet", "--no-refresh")
    assert on_host.code == 5  # it has a reason of its own: the broker's is not repeated by chance
    assert result.code == code, result
    assert result.err.startswith("q: broker: sign-in service: ") and text in result.err


def test_nobody_logged_in_is_said_as_on_the_host(broker):
    broker.start()
    result = broker.command.run(*EXPORT)
    assert result.code == 4
    assert "sign in with" in result.err
    broker.logged("failed pid=.* login: none in ")


# ---- only access tokens ----


def secrets_of(database):
    """Everything in the database that must not leave the host."""
    connection = sqlite3.connect(database)
    rows = dict(connection.execute("SELECT key, value FROM auth_kv"))
    connection.close()
    token = json.loads(rows["codewhisperer:odic:token"])
    registration = json.loads(rows["codewhisperer:odic:device-registration"])
    return [token["refresh_token"], registration["client_id"], registration["client_secret"]]


def test_only_access_tokens_leave_and_no_log_line_has_any(broker, service):
    service.seed(broker.command.db)
    broker.start("-vv")
    secrets = secrets_of(broker.command.db)
    replies = [
        broker.ask(op="token"),
        broker.ask(op="login"),
        broker.ask(op="token", force=True),
        broker.ask(op="token", min_valid_s=9999),
        broker.ask(op="refresh_token"),
        broker.ask(op="token", source="kiro-cli"),
    ]
    secrets += secrets_of(broker.command.db)
    said = json.dumps(replies)
    assert replies[0]["access_token"] and "access_token" not in replies[1]
    for secret in secrets:
        assert secret not in said and secret not in broker.log
    broker.logged("granted")
    assert not TOKEN.search(broker.log)


def test_a_line_is_logged_for_each_grant(running):
    running.ask(op="token")
    line = running.logged(r"q: broker: \S+Z granted .*").group()
    assert f"pid={os.getpid()} uid={os.getuid()} source=q-cli valid_s=3" in line
    running.ask(op="login")
    running.ask(op="token", source="kiro-cli")
    assert running.log.count("granted") == 1  # neither of these had a token


def test_a_log_that_nobody_reads_keeps_nobody_waiting(broker, service):
    service.seed(broker.command.db)
    reader, writer = os.pipe()
    process = broker.command.start("broker", stderr=writer)
    broker.process = process
    os.close(writer)
    os.read(reader, 1000)
    with until_connected(broker) as caller:
        for _ in range(1500):  # more lines than a pipe holds
            assert "access_token" in caller.ask(op="token")
    os.close(reader)


def until_connected(broker):
    def attempt():
        try:
            return broker.connect()
        except OSError:
            return None
    return until(attempt, "that it listens")


# ---- who may ----


def as_user(uid, *command, **options):
    """Run as somebody else, who has a name nowhere."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return subprocess.run([*become, *command], capture_output=True, text=True, timeout=30, **options)


ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
try:
    s.sendall(b'{"v":1,"op":"login"}\\n')
except BrokenPipeError:
    pass  # refused already: the reason can still be read
print(s.makefile().readline())
"""


def test_another_user_cannot_even_connect(running):
    running.command.home.chmod(0o711)
    running.dir.parent.chmod(0o711)
    running.dir.chmod(0o711)  # so that nothing but the socket's own mode is in the way
    result = as_user(54321, sys.executable, "-c", ASK, str(running.socket))
    assert "PermissionError" in result.stderr


def test_a_user_that_was_not_named_is_told_why_and_one_that_was_is_served(broker, service):
    service.seed(broker.command.db)
    broker.start("--allow-uid", "12345", "--allow-uid", "12346")
    broker.command.home.chmod(0o711)
    broker.dir.parent.chmod(0o711)
    for uid in (12345, 12346, os.getuid()):
        result = as_user(uid, sys.executable, "-c", ASK, str(broker.socket))
        assert json.loads(result.stdout)["source"] == "q-cli", result
    refused = json.loads(as_user(54321, sys.executable, "-c", ASK, str(broker.socket)).stdout)
    assert refused["error"]["name"] == "AQ_E_DENIED"
    assert "--allow-uid 54321" in refused["error"]["text"]
    broker.logged("refused pid=[0-9]+ uid=54321: .*--allow-uid 54321")


def test_a_refused_user_reads_in_the_container_what_to_do_on_the_host(broker, service):
    service.seed(broker.command.db)
    broker.start("--allow-uid", "12345")
    broker.command.home.chmod(0o711)
    broker.dir.parent.chmod(0o711)
    env = {**broker.command.env, "Q_BROKER_SOCKET": str(broker.socket)}
    result = as_user(54321, str(BINARY), *EXPORT, env=env)
    if "cannot execute" in result.stderr or "Permission denied" in result.stderr:
        pytest.skip("the build tree is closed to other users")
    assert result.returncode == 3
    assert "start it on the host with --allow-uid 54321" in result.stderr


def test_a_stranger_s_broker_is_not_believed(running):
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a directory away")
    running.command.home.chmod(0o711)
    running.dir.parent.chmod(0o711)
    stop = running.stop
    assert stop() == 0
    shared = running.command.home / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    pretend = socket.socket(socket.AF_UNIX)
    pretend.bind(str(shared / "broker.sock"))
    pretend.listen()
    running.command.env["Q_BROKER_SOCKET"] = str(shared / "broker.sock")
    result = running.command.run(*EXPORT)
    assert result.code == 3
    assert f"others can write to {shared}" in result.err
    shared.chmod(0o755)
    os.chown(shared, 12345, 12345)
    pretend.close()
    pretender = subprocess.Popen(
        ["setpriv", "--reuid=54321", "--clear-groups", sys.executable, "-c",
         "import socket, sys; s = socket.socket(fileno=0); s.listen(); print(flush=True); s.accept();"
         "sys.stdin.read()"],
        stdin=bound(shared / "other.sock"), stdout=subprocess.PIPE)
    try:
        pretender.stdout.readline()
        running.command.env["Q_BROKER_SOCKET"] = str(shared / "other.sock")
        result = running.command.run(*EXPORT)
        assert result.code == 3
        assert "user 54321 listens on" in result.err
    finally:
        pretender.kill()
        pretender.communicate()


def bound(path):
    """A socket of that name, for another process to listen on."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    return made


# ---- the socket ----


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_the_socket_is_private_from_the_first_instant_under_every_umask(broker, umask):
    seen = set()
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            for path in (broker.socket, broker.dir):
                try:
                    seen.add((path.name, stat.S_IMODE(os.lstat(path).st_mode)))
                except FileNotFoundError:
                    pass

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        broker.start(preexec_fn=lambda: os.umask(umask))
    finally:
        stop.set()
        watcher.join()
    assert {mode & 0o177 for name, mode in seen if name == "broker.sock"} <= {0}
    assert {mode & 0o077 for name, mode in seen if name == "amazonq-broker"} <= {0}
    assert stat.S_IMODE(os.lstat(broker.socket).st_mode) == 0o600
    assert stat.S_IMODE(os.lstat(broker.dir).st_mode) == 0o700


def test_the_socket_of_a_broker_that_was_killed_is_replaced(running):
    running.kill()
    assert running.socket.is_socket()
    running.start()
    assert running.ask(op="login")["source"] == "q-cli"


def test_the_socket_of_a_living_broker_is_left_alone(running):
    second = running.command.run("broker")
    assert second.code == 3
    assert "a broker is listening there already" in second.err
    assert running.ask(op="login")["source"] == "q-cli"


def test_of_many_that_start_at_once_after_a_crash_one_listens(running):
    running.kill()
    started = [running.command.start("broker") for _ in range(6)]
    try:
        until(lambda: sum(p.poll() is None for p in started) == 1, "that all but one give way")
        assert running.ask(op="login")["source"] == "q-cli"
        assert sorted({p.returncode for p in started if p.poll() is not None}) == [3]
    finally:
        for process in started:
            process.terminate()
            process.communicate()


def test_something_else_in_its_place_is_never_removed(broker):
    broker.dir.mkdir(mode=0o700, parents=True)
    broker.socket.write_text("precious")
    result = broker.command.run("broker")
    assert result.code == 2
    assert "something else is there" in result.err
    assert broker.socket.read_text() == "precious"


@pytest.mark.parametrize(("mode", "where"), [(0o777, "open"), (0o700, "none/deeper")])
def test_a_directory_that_others_could_change_or_that_is_missing_is_refused(broker, mode, where):
    (broker.command.home / "open").mkdir()
    (broker.command.home / "open").chmod(mode)
    result = broker.command.run("broker", "--socket", str(broker.command.home / where / "b.sock"))
    assert result.code == 3, result
    assert "choose" in result.err


@pytest.mark.parametrize(
    ("path", "says"),
    [("relative.sock", "absolute path"), ("/tmp/", "absolute path"), ("/" + "x" * 120, "107 bytes")],
)
def test_a_path_that_cannot_be_one_is_a_usage_error(broker, path, says):
    result = broker.command.run("broker", "--socket", path)
    assert result.code == 2
    assert says in result.err


def test_without_a_session_it_must_be_told_where(q):
    result = q.run("broker")
    assert result.code == 2
    assert result.err == "q: socket: XDG_RUNTIME_DIR is not set, say where with --socket\n"


@pytest.mark.parametrize("uid", ["-1", "me", "", "4294967295", "1x"])
def test_a_user_that_is_no_number_is_a_usage_error(q, uid):
    assert q.run("broker", f"--allow-uid={uid}").code == 2


# ---- the wishes of callers ----


def test_a_minimum_validity_is_kept(broker, service):
    service.seed(broker.command.db, expires_in=1800)
    broker.start()
    assert broker.command.run(*EXPORT).json["expires_in"] <= 1800
    assert service.calls(REFRESH) == 0
    assert broker.command.run(*EXPORT, "--min-valid", "50m").json["expires_in"] > 3000
    assert service.calls(REFRESH) == 1


def test_no_refresh_is_kept(broker, service):
    service.seed(broker.command.db, expires_in=-60)
    service.fault(REFRESH, status=500)  # the broker's own look at the start
    broker.start()
    broker.logged("no token")
    result = broker.command.run(*EXPORT, "--no-refresh")
    assert result.code == 5
    assert service.calls(REFRESH) == 1


def test_sixteen_callers_share_one_request_to_the_service(broker, service):
    service.seed(broker.command.db, expires_in=-60)
    service.fault(REFRESH, hold="before")
    broker.start()
    service.wait(REFRESH, held=1)
    callers = [broker.connect() for _ in range(16)]
    for number, caller in enumerate(callers):
        caller.request(op="token", min_valid_s=number % 2 * 600)  # not all wish the same
    service.release()
    tokens = {caller.reply()["access_token"] for caller in callers}
    for caller in callers:
        caller.close()
    assert tokens == {broker.command.stored()["access_token"]}
    assert service.calls(REFRESH) == 1


def test_forced_refreshes_in_a_row_are_one(running, service):
    first = running.command.run(*EXPORT, "--force-refresh").json
    again = running.command.run(*EXPORT, "--force-refresh").json
    assert again["access_token"] == first["access_token"]
    assert service.calls(REFRESH) == 1


def test_a_wish_that_no_token_fulfils_costs_one_request_however_often_it_is_made(running, service):
    replies = [running.ask(op="token", min_valid_s=9999) for _ in range(5)]
    assert {reply["error"]["name"] for reply in replies} == {"AQ_E_EXPIRED"}
    assert service.calls(REFRESH) == 1
    assert "access_token" in running.ask(op="token")


def test_a_token_near_its_end_is_refreshed_before_anybody_asks(broker, service):
    service.seed(broker.command.db, expires_in=600)
    broker.start()
    service.wait(REFRESH, calls=1)
    broker.logged(r"login source=q-cli valid_s=3[56]")


def test_a_new_login_on_the_host_is_served_at_once(running, service):
    old = running.ask(op="token")["access_token"]
    service.seed(running.command.db)
    new = running.ask(op="token")["access_token"]
    assert new == running.command.stored()["access_token"] != old


# ---- callers that are slow, dead or mad ----


def test_requests_in_one_breath_are_answered_in_their_order(running):
    with running.connect() as caller:
        caller.send(b'{"v":1,"op":"login"}\n{"v":3}\n{"v":1,"op":"token"}\n{"v":1,"op":"login"}\n')
        kinds = [sorted(caller.reply())[0] for _ in range(4)]
    assert kinds == ["expires_at", "error", "access_token", "expires_at"]


def test_a_request_in_pieces_is_whole_when_its_newline_comes(running):
    with running.connect() as caller:
        for byte in b'{"v":1,"op":"login"}':
            caller.send(bytes([byte]))
        assert running.ask(op="login")["source"] == "q-cli"  # the others do not wait for it
        caller.send(b"\n")
        assert caller.reply()["source"] == "q-cli"


def test_a_line_may_have_4096_bytes_and_not_one_more(running):
    request = b'{"v":1,"op":"login"}'
    with running.connect() as caller:
        caller.send(request.ljust(4095) + b"\n")
        assert caller.reply()["source"] == "q-cli"
        caller.send(request.ljust(4096) + b"\n")
        assert "at most 4096 bytes" in caller.reply()["error"]["text"]
        assert caller.has_ended()


def test_garbage_gets_an_error_and_the_next_line_is_read(running):
    number = random.Random(5)
    with running.connect() as caller:
        for length in (0, 1, 2, 10, 100, 1000):
            garbage = bytes(number.randrange(256) for _ in range(length)).replace(b"\n", b"\0")
            caller.send(garbage + b"\n")
            assert caller.reply()["error"]["name"] == "AQ_E_INVALID"
        assert caller.ask(op="login")["source"] == "q-cli"


@pytest.mark.parametrize(
    "request_",
    [
        b"[]", b'"x"', b"1", b"null", b'{"v":1}', b'{"v":"1","op":"token"}', b'{"op":"token"}',
        b'{"v":1,"op":7}', b'{"v":1,"op":"token","force":1}', b'{"v":1,"op":"token","source":{}}',
        b'{"v":1,"op":"token","min_valid_s":-1}', b'{"v":1,"op":"token","min_valid_s":1e3}',
        b'{"v":1,"op":"token","min_valid_s":99999999999999999999}', b'{"v":1,"op":"token"} {}',
        b'{"v":1,"op":"token","force":true,"no_refresh":true}', b'{"v":1,"op":"token",}',
        b'{"v":1,"op":"token","x":[[[[[[[[[[]]]]]]]]]]}', b'{"v":1,"op":"tok\xffen"}',
        b'{"v":1,"op":"token","source":"' + b"x" * 40 + b'"}',
    ],
    ids=lambda value: value.decode("latin-1")[:40],
)  # fmt: skip
def test_a_request_that_is_wrong_is_refused_with_a_reason(running, request_):
    with running.connect() as caller:
        caller.send(request_ + b"\n")
        error = caller.reply()["error"]
        assert (error["name"], error["exit_code"]) == ("AQ_E_INVALID", 2)
        assert error["text"].startswith("request: ")


def test_members_of_a_later_version_are_ignored(running):
    reply = running.ask(op="login", colour="blue", nested={"a": [1]})
    assert reply["source"] == "q-cli"


def test_who_does_not_read_its_answers_keeps_nobody_waiting(running):
    with running.connect() as deaf:
        deaf.socket.setblocking(False)
        request = b'{"v":1,"op":"token"}\n' * 1000
        with pytest.raises(BlockingIOError):
            while True:
                deaf.socket.send(request)
        for _ in range(20):
            assert "access_token" in running.ask(op="token")


def test_who_floods_it_with_nonsense_keeps_nobody_waiting(running):
    with running.connect() as flood:
        def write():
            try:
                while True:
                    flood.socket.sendall(b"nonsense\n" * 1000)
            except OSError:
                pass  # the test is over

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(20):
                assert flood.reply()["error"]["name"] == "AQ_E_INVALID"
                assert "access_token" in running.ask(op="token")
        finally:
            flood.socket.shutdown(socket.SHUT_RDWR)
            writer.join()


def test_who_has_said_all_it_had_to_say_gets_its_answer(running):
    with running.connect() as caller:
        caller.request(op="login")
        caller.socket.shutdown(socket.SHUT_WR)
        assert caller.reply()["source"] == "q-cli"
        assert caller.has_ended()


def test_callers_that_die_half_way_harm_nobody(broker, service):
    service.seed(broker.command.db, expires_in=-60)
    service.fault(REFRESH, hold="before")
    broker.start()
    service.wait(REFRESH, held=1)
    with broker.connect() as survivor:
        survivor.request(op="token")
        for request in (b"", b'{"v":1,', b'{"v":1,"op":"token"}\n',
                        b'{"v":1,"op":"token","min_valid_s":5}\n{"v":1'):
            dying = broker.connect()
            dying.send(request)
            dying.close()
        service.release()
        assert "access_token" in survivor.reply()
    assert "access_token" in broker.ask(op="token")
    assert service.calls(REFRESH) == 1


def test_when_all_places_are_taken_the_silent_ones_give_way(running):
    silent = [running.connect() for _ in range(80)]
    try:
        assert "access_token" in running.ask(op="token")
        assert "access_token" in silent[-1].ask(op="token")  # the youngest are still there
        assert silent[0].has_ended()
    finally:
        for caller in silent:
            caller.close()


# ---- its end, and its next life ----


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_its_socket(running, number):
    with running.connect():
        running.process.send_signal(number)
        assert running.process.wait(timeout=20) == 0, running.log
    assert not running.socket.exists()
    assert "ending" in running.log


def test_the_answer_to_a_refresh_that_was_sent_is_saved_before_it_ends(broker, service):
    service.seed(broker.command.db, expires_in=-60)
    old = broker.command.stored()
    service.fault(REFRESH, hold="after")
    broker.start()
    service.wait(REFRESH, held=1)
    broker.process.terminate()
    until(lambda: not broker.socket.exists(), "that nobody new is let in")
    assert broker.process.poll() is None
    service.release()
    assert broker.process.wait(timeout=20) == 0
    assert broker.command.stored()["refresh_token"] != old["refresh_token"]


def test_a_caller_that_was_not_answered_asks_the_next_broker(broker, service):
    service.seed(broker.command.db, expires_in=-60)
    service.fault(REFRESH, hold="before")
    broker.start()
    service.wait(REFRESH, held=1)
    asking = broker.command.start(*EXPORT)
    with broker.connect() as caller:
        caller.request(op="login", source="q-cli")  # behind it in the queue, if it came at all
        broker.kill()
        service.release()
        broker.start()
    out, err = asking.communicate(timeout=30)
    assert asking.returncode == 0, err
    assert json.loads(out)["access_token"] == broker.command.stored()["access_token"]


def test_restarts_are_not_noticed_by_those_who_keep_asking(running):
    stop = threading.Event()
    results = []

    def keep_asking():
        while not stop.is_set():
            results.append(running.command.run(*EXPORT))

    askers = [threading.Thread(target=keep_asking) for _ in range(3)]
    for asker in askers:
        asker.start()
    for turn in range(6):
        seen = len(results)
        until(lambda: len(results) > seen + 3, "that they ask")  # noqa: B023
        running.kill() if turn % 2 else running.stop()
        running.start()
    stop.set()
    for asker in askers:
        asker.join()
    assert {result.code for result in results} == {0}, [r for r in results if r.code][0]


def test_it_ends_when_nobody_asks_for_long_enough(running, broker):
    running.stop()
    running.start("--idle-exit", "1")
    assert running.process.wait(timeout=20) == 0
    assert "ending, idle" in running.log
    assert not running.socket.exists()


def test_a_broker_that_is_its_own_store_says_so(broker):
    broker.command.env["Q_STORE"] = "broker"
    broker.start()
    broker.logged("no token: broker: asks itself, give it a store of its own")


# ---- socket activation ----

HAND_OVER = """
import os, socket, sys
made = socket.socket(socket.AF_UNIX)
made.bind(sys.argv[1])
if sys.argv[2] != "deaf":
    made.listen()
os.dup2(made.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="2" if sys.argv[2] == "two" else "1",
                  LISTEN_PID="1" if sys.argv[2] == "other" else str(os.getpid()))
os.execv(sys.argv[3], sys.argv[3:])
"""


def hand_over(broker, how="well", *args):
    broker.dir.mkdir(mode=0o700)
    log = os.open(broker.log_file, os.O_WRONLY | os.O_CREAT, 0o600)
    command = ["-c", HAND_OVER, str(broker.socket), how, str(BINARY), "broker", *args]
    broker.process = broker.command.start(*command, program=sys.executable, stderr=log)
    os.close(log)
    return broker


def test_a_socket_that_is_handed_in_is_served_and_left_in_place(broker, service):
    service.seed(broker.command.db)
    hand_over(broker)
    with until_connected(broker) as caller:
        assert caller.ask(op="login")["source"] == "q-cli"
    assert "listening on the socket that was handed in" in broker.log
    assert broker.stop() == 0
    assert broker.socket.is_socket()


@pytest.mark.parametrize(
    ("how", "args", "says"),
    [
        ("two", (), "one listening unix stream socket is needed"),
        ("deaf", (), "one listening unix stream socket is needed"),
        ("well", ("--socket", "/tmp/x/b.sock"), "leave the option out"),
    ],
)
def test_what_is_handed_in_must_be_one_listening_socket_and_all_there_is(broker, how, args, says):
    assert hand_over(broker, how, *args).process.wait(timeout=20) == 2
    assert says in broker.log


def test_what_was_handed_to_another_process_is_not_ours(broker):
    hand_over(broker, "other")
    assert broker.process.wait(timeout=20) == 3  # that socket is alive, and in the way
    assert "a broker is listening there already" in broker.log


def test_it_dumps_no_core_and_no_other_process_of_the_user_may_look_into_it(running):
    status = Path(f"/proc/{running.process.pid}")
    (limit,) = [line for line in (status / "limits").read_text().splitlines() if "core file" in line]
    assert limit.split()[4:6] == ["0", "0"]
    if not SANITIZED:  # whose leak checker has to
        assert (status / "environ").stat().st_uid == 0
