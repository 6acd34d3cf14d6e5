# SPDX-License-Identifier: Apache-2.0
"""`q logout`: nothing of the login is left, nothing brings it back, and nobody is asked."""

import json
import shutil
import signal
import sqlite3

import pytest
from command import BINARY, SANITIZED, TOKEN_KEY

EXPORT = ("user", "export-token", "--quiet")
REFRESH = "CreateToken:refresh_token"
PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"
REGISTRATION_KEY = "codewhisperer:odic:device-registration"


def database(q):
    """Keys of both tables."""
    connection = sqlite3.connect(q.db)
    try:
        sql = "SELECT key FROM auth_kv UNION SELECT key FROM state"
        return {key for (key,) in connection.execute(sql)}
    finally:
        connection.close()


def change(q, sql, *values):
    connection = sqlite3.connect(q.db)
    connection.execute(sql, values)
    connection.commit()
    connection.close()


def spilled(q):
    return list(q.home.glob(".local/state/amazonq/*")) + list(q.home.glob("run/amazonq/*"))


# ---- what goes ----


def test_token_registration_profile_and_customization_go_and_the_rest_stays(online, service):
    service.seed(online.db, profile=PROFILE)
    put = "INSERT INTO state (key, value) VALUES (?, ?)"
    change(online, put, "api.selectedCustomization", '{"arn":"c"}')
    result = online.run("logout")
    assert (result.code, result.out) == (0, ""), result
    assert result.err == "q: logged out: login 'q-cli' is removed from store 'sqlite'\n"
    assert database(online) == {"auth.idc.start-url", "auth.idc.region"}
    assert online.run("whoami").code == 4


def test_no_trace_of_it_is_left_in_any_file(online, login):
    assert online.run("logout", "--quiet").err == ""
    for path in online.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in ("access_token", "refresh_token", "client_secret"):
                assert login[secret].encode() not in content, path


def test_nobody_is_asked_and_no_transport_is_loaded(online, login, service):
    online.env["Q_TRANSPORT"] = "there-is-no-such-transport"
    assert online.run("logout").code == 0
    assert service.counters()["connections"] == 0


@pytest.mark.skipif(SANITIZED or not shutil.which("strace"), reason="needs strace, no sanitizer")
def test_no_socket_is_opened(online, login):
    log = online.home / "trace"
    args = ("-f", "-qq", "-o", log, "-e", "trace=%network", BINARY, "logout")
    assert online.run(*args, program="strace").code == 0
    assert log.read_text() == ""


def test_as_json_it_is_one_object(online, login):
    result = online.run("logout", "--format", "json")
    assert (result.code, result.err) == (0, "")
    assert result.out == '{"removed":true,"source":"q-cli","store":"sqlite"}\n'
    pretty = online.run("logout", "--format", "json-pretty")
    assert (pretty.code, pretty.out) == (0, '{\n  "removed": false\n}\n'), pretty


def test_without_a_login_there_is_nothing_to_do(q):
    result = q.run("logout")
    assert (result.code, result.out) == (0, ""), result
    assert result.err == "q: logged out: there was no login\n"
    assert q.run("logout", "--quiet").err == ""
    assert list(q.home.iterdir()) == []


def test_a_login_that_cannot_be_read_goes(online, login):
    change(online, "UPDATE auth_kv SET value = 'broken' WHERE key = ?", TOKEN_KEY)
    assert online.run(*EXPORT).code == 3
    assert online.run("logout").code == 0
    assert database(online) == set()


def test_a_registration_alone_goes(online, login):
    change(online, "DELETE FROM auth_kv WHERE key = ?", TOKEN_KEY)
    assert online.run(*EXPORT).code == 4
    assert "is removed" in online.run("logout").err
    assert database(online) == set()


def test_of_two_logins_the_one_in_use_goes_and_the_other_is_named(online, service):
    service.seed(online.db, expires_in=7200)
    kiro = online.data / "kiro-cli" / "data.sqlite3"
    service.seed(kiro, expires_in=3600)
    connection = sqlite3.connect(kiro)
    connection.execute("UPDATE auth_kv SET key = replace(key, 'codewhisperer', 'kirocli')")
    connection.commit()
    connection.close()
    first = online.run("logout")
    assert first.code == 0
    assert "warning: login: 'kiro-cli' is there, too, and is used from now on" in first.err
    assert online.run("whoami", "-f", "json").json["source"] == "kiro-cli"
    second = online.run("logout")
    assert second.err == "q: logged out: login 'kiro-cli' is removed from store 'sqlite'\n"
    assert online.run("whoami").code == 4


@pytest.mark.parametrize("expires_in", [3600, -60])
def test_copies_under_names_of_old_go_too(online, service, expires_in):
    kiro = online.data / "kiro-cli" / "data.sqlite3"
    service.seed_kiro(kiro, expires_in=expires_in)
    connection = sqlite3.connect(kiro)
    for old in ("kirocli:oidc:", "codewhisperer:odic:"):
        connection.execute(
            "INSERT INTO auth_kv SELECT replace(key, 'kirocli:odic:', ?), value FROM auth_kv"
            " WHERE key LIKE 'kirocli:odic:%'",
            [old],
        )
    connection.commit()
    assert online.run(*EXPORT).code == 0  # with -60 the copies are of the token before
    assert online.run("logout").code == 0
    assert connection.execute("SELECT key FROM auth_kv").fetchall() == []
    connection.close()
    assert online.run("whoami").code == 4


@pytest.mark.parametrize("kind", ["oidc", "social", "external-idp"])
def test_every_kind_of_login_of_the_kiro_cli_goes(online, service, kind):
    kiro = online.data / "kiro-cli" / "data.sqlite3"
    service.seed_kiro(kiro, kind=kind, expires_in=-60)
    result = online.run("logout")
    assert result.err == "q: logged out: login 'kiro-cli' is removed from store 'sqlite'\n"
    connection = sqlite3.connect(kiro)
    assert connection.execute("SELECT key FROM auth_kv").fetchall() == []
    connection.close()
    assert online.run("whoami").code == 4


@pytest.mark.parametrize(
    ("kind", "operation"), [("social", "RefreshToken"), ("external-idp", "IdpToken")]
)
def test_a_refresh_of_a_login_without_a_registration_does_not_bring_it_back(
    online, service, kind, operation
):
    online.env["AWS_CA_BUNDLE"] = service.ca  # identity providers are asked over https, or not
    service.seed_kiro(online.data / "kiro-cli" / "data.sqlite3", kind=kind, expires_in=-60)
    service.fault(operation, hold="after")
    refreshing = online.start(*EXPORT)
    service.wait(operation, held=1)
    assert online.run("logout").code == 0
    service.release()
    out, err = refreshing.communicate(timeout=60)
    assert (refreshing.returncode, out) == (4, b""), err
    assert online.run("whoami").code == 4 and spilled(online) == []


# ---- what cannot be logged out of ----


def test_an_api_key_is_for_whoever_set_it_to_end(online):
    online.env["KIRO_API_KEY"] = "ksk_not_shown"
    result = online.run("logout", "--source", "kiro-api-key")
    assert (result.code, result.out) == (1, ""), result
    assert "unset KIRO_API_KEY" in result.err and "ksk_not_shown" not in result.err


def test_a_database_that_cannot_be_written_keeps_the_login_and_says_so(online, login):
    holder = sqlite3.connect(online.db, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    settings = online.db.parent / "settings.json"
    settings.write_text('{"store.sqlite.busy_timeout_ms": 20}')
    settings.chmod(0o600)
    result = online.run("logout")
    holder.execute("ROLLBACK")
    assert (result.code, result.out) == (3, ""), result
    assert "locked" in result.err
    assert online.run("whoami").code == 0


def test_a_token_that_was_handed_in_is_taken_away_where_it_comes_from(q):
    q.env["Q_TOKEN_FILE"] = str(q.home / "token")  # it need not even be there
    result = q.run("logout")
    assert (result.code, result.out) == (1, ""), result
    assert "none is kept here" in result.err and f"token file {q.home}/token" in result.err


def test_a_token_of_the_broker_is_not_logged_out_of_from_a_container(running, online):
    online.env["Q_STORE"] = "broker"
    result = online.run("logout")
    assert (result.code, result.out) == (1, ""), result
    assert "store 'broker': hands out tokens and no login" in result.err


def test_a_mistake_is_a_usage_error(q):
    result = q.run("logout", "-f", "yaml")
    assert (result.code, result.out) == (2, ""), result
    assert "use plain, json or json-pretty" in result.err


# ---- refreshes that are under way ----


@pytest.mark.parametrize("hold", ["before", "after"])
def test_a_refresh_under_way_in_another_process_does_not_bring_it_back(online, service, hold):
    service.seed(online.db, expires_in=-60)
    service.fault(REFRESH, hold=hold)
    refreshing = online.start(*EXPORT)
    service.wait(REFRESH, held=1)
    assert online.run("logout").code == 0  # it does not wait for the service
    service.release()
    out, err = refreshing.communicate(timeout=60)
    assert (refreshing.returncode, out) == (4, b""), err
    assert database(online) == set() and spilled(online) == []


def test_a_refresh_that_is_stopped_with_its_answer_does_not_bring_it_back(online, service):
    service.seed(online.db, expires_in=-60)
    service.fault(REFRESH, hold="after")
    refreshing = online.start(*EXPORT)
    service.wait(REFRESH, held=1)
    refreshing.send_signal(signal.SIGSTOP)
    service.release()
    assert online.run("logout").code == 0
    refreshing.send_signal(signal.SIGCONT)
    out, err = refreshing.communicate(timeout=60)
    assert (refreshing.returncode, out) == (4, b""), err
    assert database(online) == set() and spilled(online) == []


def test_a_refresh_that_ends_in_time_is_waited_for_and_its_login_goes(online, service):
    service.seed(online.db, expires_in=-60)
    service.fault(REFRESH, hold="after")
    refreshing = online.start(*EXPORT)
    service.wait(REFRESH, held=1)
    leaving = online.start("logout")
    service.release()
    out, err = leaving.communicate(timeout=60)
    assert leaving.returncode == 0, err
    refreshing.communicate(timeout=60)
    assert refreshing.returncode in (0, 4)
    assert database(online) == set() and spilled(online) == []


def test_an_answer_that_was_kept_in_a_file_goes_with_it(online, service):
    """Killed after it was written there and before the store took it."""
    service.seed(online.db, expires_in=-60)
    settings = online.db.parent / "settings.json"
    settings.write_text('{"store.sqlite.busy_timeout_ms": 20}')
    settings.chmod(0o600)
    service.fault(REFRESH, hold="after")
    refreshing = online.start(*EXPORT)
    service.wait(REFRESH, held=1)
    holder = sqlite3.connect(online.db, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    service.release()
    while not [path for path in spilled(online) if path.suffix == ".json"]:
        assert refreshing.poll() is None
    refreshing.kill()
    refreshing.communicate()
    holder.execute("ROLLBACK")
    kept = [path for path in spilled(online) if path.suffix == ".json"]
    open_file = kept[0].open("rb")
    assert json.loads(kept[0].read_text())["access_token"]
    assert online.run("logout").code == 0
    assert spilled(online) == []
    with open_file:
        assert set(open_file.read()) == {0}
    assert online.run(*EXPORT).code == 4
    assert database(online) == set()
