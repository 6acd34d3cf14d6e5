# SPDX-License-Identifier: Apache-2.0
"""`q doctor` names what is wrong and what to do, changes nothing, and says nothing secret."""

import errno
import json
import os
import socket
import sqlite3

import pytest
from peers import HOST, Authority, Proxy, tls_server

PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"
REFUSED = {"code": "AccessDeniedException", "message": "not here", "status": 403}
TRANSPORTS = ("curl", "h2")


class Sheet:
    """What the command found, by subject."""

    def __init__(self, command, *args):
        self.result = command.run("doctor", "--format", "json", *args)
        self.all = self.result.json["findings"]

    def of(self, subject):
        return [finding for finding in self.all if finding["subject"] == subject]

    def one(self, subject):
        (finding,) = self.of(subject)
        return finding

    def wrong(self):
        return {finding["subject"] for finding in self.all if finding["status"] == "fail"}


@pytest.fixture
def away(q, service):
    """The command with a login, and endpoints that the test chooses with `--endpoint`."""
    service.seed(q.db)
    q.env["AWS_ENDPOINT_URL_SSO_OIDC"] = service.url
    return q


@pytest.fixture
def authority(q):
    made = Authority(q.home)
    q.env["SSL_CERT_FILE"] = str(made.path)
    return made


def test_where_nothing_is_wrong_it_says_so(online, login):
    result = online.run("doctor")
    assert (result.code, result.err) == (0, "")
    assert result.out.endswith("\nNothing is wrong.\n")
    for line in result.out.splitlines()[:-1]:
        assert line.startswith("ok    ")


def test_the_json_form_is_the_documented_one(online, login):
    sheet = Sheet(online)
    assert sheet.result.code == 0
    assert list(sheet.result.json) == ["schema_version", "findings", "failures", "warnings"]
    assert sheet.result.json["schema_version"] == 1
    assert (sheet.result.json["failures"], sheet.result.json["warnings"]) == (0, 0)
    for finding in sheet.all:
        assert list(finding) == ["subject", "status", "what"]
    assert [finding["subject"] for finding in sheet.all if "set" not in finding["subject"]] == [
        "version",
        "plugin",
        "plugin",
        "environment",
        "login",
        "store.file",
        "store.save",
        "login.token",
        "login.region",
        "sign-in.connect",
        "sign-in.clock",
        "service.connect",
        "service.clock",
        "service.login",
    ]
    pretty = online.run("doctor", "-f", "json-pretty")
    assert pretty.out == json.dumps(pretty.json, indent=2) + "\n"


def test_it_names_no_person_and_no_home(online, service):
    service.seed(online.db, profile=PROFILE)
    out = online.run("doctor").out
    assert "of an organisation" in out and "takes the login" in out
    for private in (str(online.home), "111122223333", "STANDIN0001", "example.awsapps.com"):
        assert private not in out


def test_without_a_login_it_says_where_it_looked(online):
    sheet = Sheet(online)
    assert sheet.result.code == 1
    assert "data.sqlite3 (no such file)" in sheet.one("login")["what"]
    assert sheet.wrong() == {"login"}
    assert sheet.one("service.connect")["status"] == "ok"  # it can be reached all the same


def test_an_expired_login_is_not_refreshed(online, service):
    service.seed(online.db, expires_in=-100)
    before = online.row()
    sheet = Sheet(online)
    assert "the next command that needs it refreshes it" in sheet.one("login.token")["what"]
    assert "export-token" in sheet.one("login.token")["fix"]
    assert sheet.one("service.login")["status"] == "warn"
    assert (sheet.result.code, online.row()) == (0, before)
    assert service.calls("CreateToken:refresh_token") == service.calls("ListAvailableModels") == 0


def test_a_revoked_login_is_refused_by_the_service(online, login, service):
    service.control("revoke")
    sheet = Sheet(online)
    assert (sheet.result.code, sheet.wrong()) == (1, {"service.login"})
    assert "does not take the login" in sheet.one("service.login")["what"]
    assert "--force-refresh" in sheet.one("service.login")["fix"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_tls_is_described(away, service, transport):
    away.env["SSL_CERT_FILE"] = service.ca
    sheet = Sheet(away, "--transport", transport, "--endpoint", service.tls_url)
    assert sheet.result.code == 0
    assert ": HTTP/2 at 127.0.0.1:" in sheet.one("service.connect")["what"]
    certificate = sheet.one("service.certificate")["what"]
    assert "issued by" in certificate and ", valid until 20" in certificate
    assert certificate.endswith("/ca.pem (from SSL_CERT_FILE)")


def test_a_certificate_is_described_in_the_same_words_by_each_transport(away, service):
    away.env["SSL_CERT_FILE"] = service.ca
    said = {
        Sheet(away, "--transport", transport, "--endpoint", service.tls_url).one(
            "service.certificate"
        )["what"]
        for transport in TRANSPORTS
    }
    assert len(said) == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("certificate", "says", "fix"),
    [
        ("expired", "has expired", "Compare the clock"),
        ("not_valid_yet", "not valid yet", "Compare the clock"),
        ("for_another_name", "not valid for this name", "Check the name of the host"),
        ("of_a_stranger", "authority that", "AWS_CA_BUNDLE"),
    ],
)
def test_a_bad_certificate_is_named_with_its_reason_and_the_cure_for_that(
    away, authority, transport, certificate, says, fix
):
    with tls_server(getattr(authority, certificate)()) as url:
        sheet = Sheet(away, "--transport", transport, "--endpoint", url)
    assert sheet.wrong() == {"service.connect", "service.certificate"}
    assert says in sheet.one("service.connect")["what"]
    found = sheet.one("service.certificate")
    assert "authority.pem (from SSL_CERT_FILE)" in found["what"]
    assert fix in found["fix"]
    # to trust more helps against an unknown authority alone
    assert ("--ca-bundle" in found["fix"]) == (certificate == "of_a_stranger")
    if transport == "h2":  # libcurl does not show what OpenSSL has refused
        assert ", valid until 20" in found["what"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_error_about_certificates_names_the_variable_that_chose_them(away, authority, transport):
    ask = ("chat", "--no-interactive", "hello", "--transport", transport, "--endpoint")
    with tls_server(authority.of_a_stranger()) as url:
        unknown = away.run(*ask, url)
        by_option = away.run(*ask, url, "--ca-bundle", authority.path)
        away.env["SSL_CERT_FILE"] = "/nowhere/ca.pem"
        missing = away.run(*ask, url)
    assert unknown.err.endswith("--ca-bundle (the path is from SSL_CERT_FILE)\n")
    assert by_option.err.endswith("--ca-bundle\n")
    assert missing.code == 2
    assert missing.err.endswith(" or --ca-bundle (the path is from SSL_CERT_FILE)\n")


def test_an_option_is_named_as_such(away, authority):
    away.env["SSL_CERT_FILE"] = "/nowhere"
    with tls_server(authority.of_a_stranger()) as url:
        sheet = Sheet(away, "--endpoint", url, "--ca-bundle", authority.path)
    assert "authority.pem (as an option)" in sheet.one("service.certificate")["what"]


def test_a_peer_without_http2_is_said_to_need_the_other_transport(away, authority):
    with tls_server(authority.good(), alpn=()) as url:
        sheet = Sheet(away, "--transport", "h2", "--endpoint", url)
    assert sheet.wrong() == {"service.connect"}
    assert "use --transport curl" in sheet.one("service.connect")["what"]


@pytest.fixture
def port():
    """One where nobody listens, nor will."""
    with socket.socket() as deaf:
        deaf.bind((HOST, 0))
        yield deaf.getsockname()[1]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_port_where_nobody_listens(away, transport, port):
    sheet = Sheet(away, "--transport", transport, "--endpoint", f"https://{HOST}:{port}")
    assert sheet.wrong() == {"service.connect"}
    found = sheet.one("service.connect")["what"]
    assert f"https://{HOST}:{port}: cannot connect" in found
    assert f"({os.strerror(errno.ECONNREFUSED)})" in found
    assert "proxy" not in found  # there is none


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_proxy_that_is_not_there(away, transport, port):
    away.env["HTTPS_PROXY"] = f"http://{HOST}:{port}"
    sheet = Sheet(away, "--transport", transport, "--endpoint", "https://q.example.test")
    found = sheet.one("service.connect")["what"]
    assert "cannot connect, check the network and https_proxy" in found
    assert f"({os.strerror(errno.ECONNREFUSED)})" in found
    assert f"through the proxy http://{HOST}:{port} (from HTTPS_PROXY)" in found


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_name_that_does_not_exist(away, transport):
    sheet = Sheet(away, "--transport", transport, "--endpoint", "https://q.invalid")
    found = sheet.one("service.connect")["what"]
    assert "name does not resolve" in found
    assert "(" not in found  # the operating system has nothing to add


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_proxy_that_refuses_is_named_without_its_password(away, service, transport):
    with Proxy(service.tls_url, refuse=407) as proxy:
        away.env["HTTPS_PROXY"] = f"http://me:s3cret@{HOST}:{proxy.port}"
        sheet = Sheet(away, "--transport", transport, "--endpoint", "https://q.example.test")
    found = sheet.one("service.connect")["what"]
    assert "the proxy refused the connection with 407" in found
    assert f"through the proxy http://{HOST}:{proxy.port} (from HTTPS_PROXY)" in found
    assert "s3cret" not in sheet.result.out
    assert "HTTPS_PROXY" in sheet.one("environment")["what"]


@pytest.mark.parametrize(("skew", "status"), [(0, "ok"), (-120, "warn"), (3600, "fail")])
def test_clocks_that_disagree(online, login, service, skew, status):
    service.settings(clock_skew=skew)
    found = Sheet(online).one("service.clock")
    assert found["status"] == status
    assert ("ahead of" in found["what"]) == (skew > 0)
    assert ("behind" in found["what"]) == (skew < 0)
    assert ("fix" in found) == (status != "ok")


def test_settings_that_count_for_nothing_are_named(online, login):
    online.run("settings", "endpont", "https://q.example")
    online.run("settings", "store.sqlite.pathh", "/x")
    online.run("settings", "chat.greeting.enabled", "true")
    online.run("settings", "api.codewhisperer.service", "true")
    sheet = Sheet(online)
    assert sheet.result.code == 0
    warned = " ".join(f["what"] for f in sheet.all if f["status"] == "warn")
    assert "'endpont'" in warned and "'store.sqlite.pathh'" in warned
    assert "api.codewhisperer.service is not an object" in warned
    assert "greeting" not in warned


def test_a_setting_that_is_wrong_is_the_finding(online, login):
    online.run("settings", "store", '{"name": "sqlite"}')
    sheet = Sheet(online)
    assert (sheet.result.code, sheet.wrong()) == (1, {"settings.value"})
    found = sheet.one("settings.value")
    assert "must be a string, is an object (in ~/data/amazon-q/settings.json)" in found["what"]
    assert "Correct it where it is set" in found["fix"]
    assert str(online.home) not in sheet.result.out


def test_a_timeout_that_is_wrong_is_a_finding_too(online, login):
    online.run("settings", "api.timeout", "soon")
    sheet = Sheet(online)
    assert (sheet.result.code, sheet.wrong()) == (1, {"settings.value"})
    assert "'api.timeout': must be a whole number of milliseconds" in sheet.one("settings.value")["what"]


def test_it_says_where_each_setting_comes_from(online, login, service):
    online.run("settings", "transport", "curl")
    values = [found["what"] for found in Sheet(online, "--source", "q-cli").of("settings.value")]
    assert "source = q-cli (as an option)" in values
    assert f"endpoint = {service.url} (from Q_ENDPOINT_URL)" in values
    assert any(value.startswith("transport = curl (in ") for value in values)


def test_a_password_in_a_url_is_not_shown(online, login):
    online.env["AWS_ENDPOINT_URL_SSO_OIDC"] = "https://me:s3cret@proxy.example/base@1"
    service = '{"endpoint": "https://me:s3cret@q.example", "region": "us-east-1"}'
    online.run("settings", "api.codewhisperer.service", service)
    sheet = Sheet(online)
    assert "s3cret" not in sheet.result.out + sheet.result.err
    values = " ".join(found["what"] for found in sheet.of("settings.value"))
    assert "oidc.endpoint = https://***@proxy.example/base@1 (from AWS" in values
    assert "names the endpoint https://***@q.example;" in values


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("https://h.example/?apikey=s3cret", "https://h.example/?***"),
        ("https://h.example?apikey=s3cret/@x", "https://h.example?***"),
        ("https://me:s3cret@h.example/a#s3cret", "https://***@h.example/a#***"),
        ("h.example/?apikey=s3cret", "h.example/?***"),
        ("h.example/?apikey=s3cret&to=https://h", "h.example/?***"),
        ("me:s3cret@h.example", "***@h.example"),
        ("https://me:?s3cret@h.example", "https://***@h.example"),
    ],
)
def test_neither_is_a_query_of_an_endpoint_that_is_wrong(online, login, endpoint, shown):
    online.env["Q_ENDPOINT_URL"] = endpoint
    sheet = Sheet(online)
    assert "service.connect" in sheet.wrong()
    assert "s3cret" not in sheet.result.out + sheet.result.err
    values = [found["what"] for found in sheet.of("settings.value")]
    assert f"endpoint = {shown} (from Q_ENDPOINT_URL)" in values


def test_a_plugin_that_is_not_there(online, login):
    sheet = Sheet(online, "--transport", "nowhere")
    assert sheet.wrong() == {"plugin"}
    assert any("no such plugin in" in found["what"] for found in sheet.of("plugin"))


def test_a_database_that_others_can_read_is_a_warning_with_the_command_that_mends_it(
    online, login
):
    online.db.chmod(0o644)
    found = Sheet(online).one("store.file")
    assert (found["status"], "mode 0644" in found["what"]) == ("warn", True)
    assert found["fix"] == "Run: chmod 600 ~/data/amazon-q/data.sqlite3"


def test_a_journal_and_a_wal_are_told(online, login):
    connection = sqlite3.connect(online.db)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE other (a)")
    connection.commit()
    try:
        found = Sheet(online).one("store.file")
    finally:
        connection.close()
    assert (found["status"], ", with a WAL" in found["what"]) == ("ok", True)


def test_somebody_who_refreshes_at_this_moment_is_told(online, service):
    service.seed(online.db, expires_in=-100)
    service.fault("CreateToken:refresh_token", hold="before")
    other = online.start("user", "export-token", "--quiet")
    service.wait("CreateToken:refresh_token", held=1)
    found = Sheet(online).one("store.save")
    service.release()
    other.communicate(timeout=60)
    assert (found["status"], other.returncode) == ("ok", 0)
    assert "another process is refreshing the login at this moment" in found["what"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_database_that_cannot_be_written_is_found_before_a_token_is_spent(online, login):
    online.db.chmod(0o400)
    online.db.parent.chmod(0o500)
    sheet = Sheet(online)
    online.db.parent.chmod(0o700)
    assert sheet.wrong() == {"store.save"}


def test_a_damaged_database_is_named(online):
    online.db.parent.mkdir(parents=True)
    online.db.write_bytes(b"not a database" * 100)
    online.db.chmod(0o600)
    sheet = Sheet(online)
    assert sheet.wrong() == {"store"}


def test_a_profile_in_a_region_without_an_endpoint_is_asked_elsewhere_and_that_is_said(
    online, service
):
    arn = "arn:aws:codewhisperer:ap-south-9:111122223333:profile/STANDIN0001"
    service.seed(online.db, profile=arn, start_url="https://example.awsapps.com/start")
    said = [f for f in Sheet(online).all if f["subject"] == "login.region"]
    assert [f["status"] for f in said] == ["ok", "warn"]
    assert said[0]["what"].endswith("service: us-east-1 (by default)")
    assert "ap-south-9, where no endpoint is known" in said[1]["what"]


@pytest.mark.parametrize(
    ("kind", "says"),
    [("social", "social (Google"), ("external-idp", "its own identity provider")],
)
def test_each_kind_of_login_has_its_own_sign_in_service(online, service, kind, says):
    service.seed_kiro(online.data / "kiro-cli" / "data.sqlite3", kind=kind)
    online.env.update({"Q_SOCIAL_ENDPOINT_URL": service.url, "SSL_CERT_FILE": service.ca})
    online.env["AWS_ENDPOINT_URL_SSO_OIDC"] = "https://nobody.invalid"
    sheet = Sheet(online)
    assert says in sheet.one("login")["what"]
    expected = service.url if kind == "social" else service.tls_url
    assert sheet.one("sign-in.connect")["what"].startswith(f"{expected}: HTTP/")
    assert (sheet.result.code, sheet.one("service.login")["status"]) == (0, "ok")


def test_an_api_key_has_no_sign_in_service(online, service):
    online.env["KIRO_API_KEY"] = service.login(kind="api-key")["access_token"]
    sheet = Sheet(online, "--source", "kiro-api-key")
    assert "an API key" in sheet.one("login")["what"]
    assert sheet.of("sign-in.connect") == []
    assert sheet.one("service.login")["status"] == "ok"


def test_a_login_of_a_broker(running):
    sheet = Sheet(running.command, "--store", "broker")
    assert sheet.result.code == 0
    assert "somebody else keeps its tokens fresh" in sheet.one("store.save")["what"]
    assert sheet.of("sign-in.connect") == []  # the broker asks there
    assert sheet.one("service.login")["status"] == "ok"


def test_a_broker_that_is_not_there(online):
    sheet = Sheet(online, "--store", "broker")
    assert "store" in sheet.wrong()
    assert "broker" in sheet.one("store")["what"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_site_that_does_not_take_the_login_is_followed_by_the_next(q, service, transport):
    service.seed(q.db)
    service.fault("ListAvailableModels", error=REFUSED)
    with Proxy(service.tls_url) as proxy:
        q.env.update({"HTTPS_PROXY": f"http://{HOST}:{proxy.port}", "SSL_CERT_FILE": service.ca})
        sheet = Sheet(q, "--transport", transport)
    assert sheet.result.code == 0
    assert [found["status"] for found in sheet.of("service.login")] == ["warn", "ok"]
    assert proxy.asked == [
        "oidc.us-east-1.amazonaws.com:443",
        "q.us-east-1.amazonaws.com:443",
        "management.us-east-1.kiro.dev:443",
    ]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_chat_finds_the_site_that_takes_the_login_and_remembers_it(q, service, transport):
    service.seed(q.db)
    service.fault("GenerateAssistantResponse", error=REFUSED)
    with Proxy(service.tls_url) as proxy:
        q.env.update({"HTTPS_PROXY": f"http://{HOST}:{proxy.port}", "SSL_CERT_FILE": service.ca})
        args = ("chat", "--no-interactive", "hello", "--transport", transport)
        for _ in range(2):
            result = q.run(*args, "-v")
            assert result.code == 0
            moved = "info: service: the login was not accepted (HTTP 403), asking runtime."
            assert (moved in result.err) == (len(proxy.asked) == 2)
    assert proxy.asked == [
        "q.us-east-1.amazonaws.com:443",
        "runtime.us-east-1.kiro.dev:443",
        "runtime.us-east-1.kiro.dev:443",
    ]
