# SPDX-License-Identifier: Apache-2.0
"""`q broker`, and the command in a container that has nothing but its socket."""

import json
import os
import random
import resource
import socket
import sqlite3
import threading

import leaks
import pytest
from broker import until
from qservice.seed import KIRO_KEYS

REFRESH = "CreateToken:refresh_token"
CALL = "GenerateAssistantResponse"
EXPORT = ("user", "export-token", "--quiet", "--store", "broker")
PROFILE = "arn:aws:codewhisperer:us-east-1:1:profile/X"


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
    service.seed(command.db, profile=PROFILE)
    broker.start()
    result = command.run(*EXPORT)
    assert result.json["profile_arn"] == PROFILE
    assert command.run(*EXPORT, "--source", "q-cli").code == 0
    refused = command.run(*EXPORT, "--source", "kiro-cli")
    assert refused.code == 4
    assert "login: none in store 'broker'" in refused.err
    assert "migrate" not in refused.err  # nothing can be moved into a broker


def test_a_login_with_a_name_is_served_without_it(broker, service):
    command = broker.command
    login = service.seed(command.data / "amazonq" / "logins" / "work" / "data.sqlite3")
    broker.start("--login", "work")
    assert command.run(*EXPORT).json["access_token"] == login["access_token"]


@pytest.mark.parametrize("kind", KIRO_KEYS)
def test_every_kind_of_the_kiro_cli_s_logins_is_served(broker, service, kind):
    command = broker.command
    command.env["AWS_CA_BUNDLE"] = service.ca
    service.seed_kiro(command.data / "kiro-cli" / "data.sqlite3", kind=kind)
    broker.start()
    result = command.run(*EXPORT)
    assert (result.json["source"], result.json["kind"]) == ("kiro-cli", kind)


def test_a_login_that_another_program_keeps_is_for_those_who_name_it_or_none(broker, cache):
    cache.ide()
    broker.start("--source", "kiro-ide")
    result = broker.command.run(*EXPORT)
    assert result.code == 1
    assert result.err == (
        "q: broker: its login is of 'kiro-ide', which a broker hands to nobody who asks for "
        "'q-cli', start it with --source q-cli or kiro-cli\n")
    broker.logged("failed pid=.*its login is of 'kiro-ide'")
    for named in ({}, {"source": "kiro-ide"}):
        assert broker.ask(v=1, op="login", **named)["source"] == "kiro-ide"


def test_a_token_that_was_handed_to_the_broker_is_handed_on(broker, service):
    file = broker.command.home / "token"
    file.write_text(service.login(expires_in=3600)["access_token"])
    file.chmod(0o600)
    broker.command.asked.append(file)
    broker.command.env["Q_TOKEN_FILE"] = str(file)
    broker.start()
    broker.logged("valid_s=unknown")
    result = broker.command.run(*EXPORT)
    assert result.json["access_token"] == file.read_text()
    assert "expires_at" not in result.json
    for _ in range(2):  # nobody has refreshed it in between
        refused = broker.command.run(*EXPORT, "--min-valid", "1m")
        assert refused.code == 5
        assert "(without an expiry, 60 s are needed)" in refused.err
    assert "You asked" in broker.command.run("chat", "--store", "broker", "hi").out


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


def test_a_token_that_could_not_be_refreshed_comes_with_the_host_s_warning(broker, service):
    service.seed(broker.command.db, expires_in=40)
    service.fault(REFRESH, status=500)
    broker.start()
    result = broker.command.run("user", "export-token", "--store", "broker")
    assert result.code == 0, result
    assert result.json["expires_in"] <= 40
    assert "q: warning: login: valid for " in result.err
    broker.logged("warning: login: valid for ")


def test_nobody_logged_in_is_said_as_on_the_host(broker):
    broker.start()
    result = broker.command.run(*EXPORT)
    assert result.code == 4
    assert "log in (q login)" in result.err
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
    leaks.check(broker.log, "the log")


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
    with broker.connect_at_last() as caller:
        for _ in range(1500):  # more lines than a pipe holds
            assert "access_token" in caller.ask(op="token")
    os.close(reader)


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


def test_many_wishes_that_no_token_fulfils_cost_one_request(running, service):
    service.fault(REFRESH, hold="before")
    callers = [running.connect() for _ in range(20)]
    for number, caller in enumerate(callers):
        caller.request(op="token", min_valid_s=5000 + number)
    service.wait(REFRESH, held=1)
    service.release()
    for caller in callers:
        assert caller.reply()["error"]["name"] == "AQ_E_EXPIRED"
        caller.close()
    assert service.calls(REFRESH) == 1


def test_a_refresh_whose_caller_has_gone_counts(running, service):
    old = running.command.stored()["access_token"]
    service.fault(REFRESH, hold="before")
    with running.connect() as caller:
        caller.request(op="token", force=True)
        service.wait(REFRESH, held=1)
    service.release()
    until(lambda: running.command.stored()["access_token"] != old, "that it is saved")
    again = running.ask(op="token", force=True)
    assert again["access_token"] == running.command.stored()["access_token"]
    assert service.calls(REFRESH) == 1


def test_the_refresh_of_an_expired_login_at_the_start_counts(broker, service):
    service.seed(broker.command.db, expires_in=-60)
    broker.start()
    broker.logged("login source=q-cli valid_s=3[56]")
    assert "access_token" in broker.ask(op="token", force=True)
    assert service.calls(REFRESH) == 1


def test_a_wish_that_the_token_fulfils_keeps_nobody_from_a_new_one(running, service):
    old = running.ask(op="token", min_valid_s=600)["access_token"]
    assert running.ask(op="token", force=True)["access_token"] != old
    assert service.calls(REFRESH) == 1


def test_a_refresh_that_failed_is_the_answer_for_all_who_waited_for_it(running, service):
    service.fault(REFRESH, hold="before", status=500)
    wishes = [{"force": True}, {"min_valid_s": 5000}, {"min_valid_s": 5001}]
    callers = [running.connect() for _ in wishes]
    for caller, wish in zip(callers, wishes):
        caller.request(op="token", **wish)
    service.wait(REFRESH, held=1)
    assert "access_token" in running.ask(op="token")  # who wishes no more than there is gets it
    service.release()
    for caller in callers:
        assert caller.reply()["error"]["name"] == "AQ_E_REFRESH"
        caller.close()
    assert service.calls(REFRESH) == 1


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


def test_when_all_places_are_taken_who_does_not_read_gives_way(running):
    deaf = [running.connect() for _ in range(64)]
    try:
        for caller in deaf:
            caller.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    caller.socket.send(b'{"v":1,"op":"token"}\n' * 1000)
        with running.connect() as caller:
            caller.socket.settimeout(25)  # less than what those who are silent are given
            assert "access_token" in caller.ask(op="token")
    finally:
        for caller in deaf:
            caller.close()


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


@pytest.mark.parametrize("few", [24, 64, 66])
def test_when_it_may_open_few_files_it_serves_fewer_callers_at_once(broker, service, few):
    service.seed(broker.command.db)
    broker.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (few, few)))
    silent = [broker.connect() for _ in range(70)]
    try:
        with broker.connect() as caller:
            caller.socket.settimeout(25)  # less than what those who are silent are given
            assert "access_token" in caller.ask(op="token", force=True)
        assert "Too many open files" not in broker.log
    finally:
        for caller in silent:
            caller.close()


def test_when_all_places_are_taken_the_silent_ones_give_way(running):
    silent = [running.connect() for _ in range(80)]
    try:
        assert "access_token" in running.ask(op="token")
        assert "access_token" in silent[-1].ask(op="token")  # the youngest are still there
        assert silent[0].has_ended()
    finally:
        for caller in silent:
            caller.close()
