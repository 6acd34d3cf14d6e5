# SPDX-License-Identifier: Apache-2.0
"""The socket of `q broker`: who makes it, who may use it, and what becomes of it."""

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from broker import until
from command import BINARY, OPEN_TO_OTHERS, SANITIZED
from mounts import mounts, needs_mounts

REFRESH = "CreateToken:refresh_token"
EXPORT = ("user", "export-token", "--quiet", "--store", "broker")


# ---- who may ----


def as_user(uid, *command, **options):
    """Run as somebody else, who has a name nowhere."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    wishes = {"capture_output": True, "text": True, "timeout": 30, **options}
    return subprocess.run([*become, *command], **wishes)


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


def test_a_user_that_is_refused_again_and_again_does_not_fill_the_log(broker, service):
    service.seed(broker.command.db)
    broker.start("--allow-uid", "12345")
    broker.command.home.chmod(0o711)
    broker.dir.parent.chmod(0o711)
    often = f"for _ in range(200): exec({ASK!r})"
    result = as_user(54321, sys.executable, "-c", often, str(broker.socket))
    assert result.stdout.count("AQ_E_DENIED") == 200, result
    broker.ask(op="token")
    broker.logged("granted")
    assert broker.log.count("refused") == 1


@pytest.mark.skipif(not OPEN_TO_OTHERS, reason="the build tree is closed to other users")
def test_a_refused_user_reads_in_the_container_what_to_do_on_the_host(broker, service):
    service.seed(broker.command.db)
    broker.start("--allow-uid", "12345")
    broker.command.home.chmod(0o711)
    broker.dir.parent.chmod(0o711)
    mounted = {"Q_BROKER_SOCKET": str(broker.socket), "HOME": "/", "XDG_DATA_HOME": "/nonexistent"}
    result = as_user(54321, str(BINARY), *EXPORT, env={**broker.command.env, **mounted})
    assert result.returncode == 3, result
    assert "start it on the host with --allow-uid 54321" in result.stderr


LISTEN = """
import socket
made = socket.socket(fileno=0)
made.listen()
print(flush=True)
made.accept()
"""


def test_a_stranger_s_broker_is_not_believed(q):
    shared = q.home / "shared"
    shared.mkdir(mode=0o755)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(shared / "broker.sock"))
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    os.chown(shared, 12345, 12345)
    become = ["setpriv", "--reuid=54321", "--clear-groups"]
    stranger = subprocess.Popen(
        [*become, sys.executable, "-c", LISTEN], stdin=made, stdout=subprocess.PIPE
    )
    try:
        stranger.stdout.readline()
        q.env["Q_BROKER_SOCKET"] = str(shared / "broker.sock")
        result = q.run(*EXPORT)
        assert result.code == 3
        assert "user 54321 listens on" in result.err
    finally:
        stranger.kill()
        stranger.communicate()
        made.close()


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
        with running.connect_at_last() as caller:
            assert caller.ask(op="login")["source"] == "q-cli"
        assert sorted({p.returncode for p in started if p.poll() is not None}) == [3]
    finally:
        for process in started:
            process.terminate()
            process.communicate()


def test_a_lock_on_the_directory_that_is_mounted_keeps_no_broker_from_starting(running):
    directory = os.open(running.dir, os.O_RDONLY)  # as a container can, also where it is read-only
    fcntl.flock(directory, fcntl.LOCK_EX)
    try:
        running.kill()
        running.start()
        assert running.ask(op="login")["source"] == "q-cli"
        assert running.stop() == 0
        assert not running.socket.exists()
    finally:
        os.close(directory)


def test_a_lock_that_is_held_is_named_with_what_to_do(broker):
    (broker.dir.parent / "amazonq-broker.lock").touch(mode=0o600)
    with open(broker.dir.parent / "amazonq-broker.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = broker.command.run("broker")
    assert result.code == 3
    assert f"another process has {broker.dir}.lock locked, end it" in result.err


def test_where_no_lock_can_be_made_beside_the_directory_a_broker_starts_all_the_same(broker):
    (broker.dir.parent / "amazonq-broker.lock").symlink_to("/nonexistent")
    broker.start()
    assert broker.stop() == 0
    assert not broker.socket.exists()


def test_a_directory_that_docker_made_for_root_is_named_with_what_to_do(broker):
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a directory of another user")
    broker.dir.mkdir(mode=0o755)
    os.chown(broker.dir, 12345, 12345)
    result = broker.command.run("broker")
    assert result.code == 3
    assert "belongs to user 12345, remove it (Docker makes one for root" in result.err


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
    [
        ("relative.sock", "absolute path"),
        ("/tmp/", "absolute path"),
        ("/" + "x" * 120, "107 bytes"),
    ],
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


# ---- its end, and its next life ----


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_its_socket(running, number):
    with running.connect():
        running.process.send_signal(number)
        assert running.process.wait(timeout=60) == 0, running.log
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
    assert broker.process.wait(timeout=60) == 0
    assert broker.command.stored()["refresh_token"] != old["refresh_token"]


def test_a_caller_that_was_not_answered_asks_the_next_broker(broker, service):
    service.seed(broker.command.db, expires_in=-60)
    service.fault(REFRESH, hold="before")
    broker.start()
    service.wait(REFRESH, held=1)
    asking = broker.command.start(*EXPORT)
    until(lambda: broker.connections() == 1, "that it comes")
    asking.send_signal(signal.SIGSTOP)  # however long the next one takes to start
    broker.kill()
    service.release()
    broker.start()
    asking.send_signal(signal.SIGCONT)
    out, err = asking.communicate(timeout=60)
    assert asking.returncode == 0, err
    assert json.loads(out)["access_token"] == broker.command.stored()["access_token"]


def test_restarts_within_a_second_are_not_noticed_by_those_who_keep_asking(running):
    stop = threading.Event()
    results, gaps_s = [], []

    def keep_asking():
        while not stop.is_set():
            results.append(running.command.run(*EXPORT))

    askers = [threading.Thread(target=keep_asking) for _ in range(3)]
    for asker in askers:
        asker.start()
    for turn in range(6):
        seen = len(results)
        until(lambda: len(results) > seen + 3, "that they ask")  # noqa: B023
        began_s = time.monotonic()
        running.kill() if turn % 2 else running.stop()
        running.start()
        gaps_s.append(time.monotonic() - began_s)
    stop.set()
    for asker in askers:
        asker.join()
    noticed = [result for result in results if result.code]
    # who has asked nobody for a second may give up, which a busy machine may take for a start
    assert not noticed or max(gaps_s) >= 1, noticed[0]
    assert all("nobody listens" in result.err for result in noticed), noticed
    assert len(noticed) < len(results)


@needs_mounts
def test_a_directory_that_is_mounted_shows_the_socket_of_every_broker_there_will_be(running):
    """A container as far as it matters here: a mount namespace, no session, no database."""
    command = running.command
    for name in ("XDG_RUNTIME_DIR", "Q_BROKER_SOCKET"):
        command.env.pop(name, None)
    command.env.update(XDG_DATA_HOME="/nonexistent", Q_STORE="broker")
    export = (BINARY, "user", "export-token", "--quiet")

    def ask(container):
        process = container.start(command, *export)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return json.loads(out)["access_token"]

    with mounts() as container:
        container.run("mount", "-t", "tmpfs", "none", "/run")
        container.run("mkdir", "/run/amazonq-broker")
        container.run("mount", "--bind", str(running.dir), "/run/amazonq-broker")
        container.run("mount", "-o", "remount,ro,bind", "/run/amazonq-broker")
        assert ask(container) == ask(container)
        running.stop()
        running.start("--store", "sqlite", "--db", str(command.db),
                      "--socket", str(running.socket))
        assert ask(container)


def test_it_ends_when_nobody_asks_for_long_enough(running, broker):
    running.stop()
    before = len(running.log)
    running.launch("--idle-exit", "1")  # and it may be over before anybody looks at its start
    assert running.process.wait(timeout=60) == 0
    assert "listening on" in running.log[before:] and "ending, idle" in running.log
    assert not running.socket.exists()


def test_a_broker_that_is_its_own_store_says_so_and_ends(broker):
    broker.command.env["Q_STORE"] = "broker"
    broker.launch()
    assert broker.process.wait(timeout=60) == 2
    assert broker.log.splitlines()[-1] == (
        "q: broker: asks itself, give it a store of its own, such as --store sqlite")
    assert not broker.socket.exists()


def test_a_caller_that_fails_again_and_again_does_not_fill_the_log(broker):
    broker.start()
    with broker.connect() as caller:
        for _ in range(200):
            assert caller.ask(op="token")["error"]["name"] == "AQ_E_NOT_LOGGED_IN"
            assert caller.ask(op="nonsense")["error"]["name"] == "AQ_E_INVALID"
    assert broker.log.count(" failed pid=") == 2


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
    with broker.connect_at_last() as caller:
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
    assert hand_over(broker, how, *args).process.wait(timeout=60) == 2
    assert says in broker.log


def test_what_was_handed_to_another_process_is_not_ours(broker):
    hand_over(broker, "other")
    assert broker.process.wait(timeout=60) == 3  # that socket is alive, and in the way
    assert "a broker is listening there already" in broker.log


def test_it_dumps_no_core_and_no_other_process_of_the_user_may_look_into_it(running):
    process = Path(f"/proc/{running.process.pid}")
    limits = (process / "limits").read_text().splitlines()
    (core,) = [line for line in limits if "core file" in line]
    assert core.split()[4:6] == ["0", "0"]
    if not SANITIZED:  # whose leak checker has to
        assert (process / "environ").stat().st_uid == 0
