# SPDX-License-Identifier: Apache-2.0
"""Names of files on the command line: seen from where the command was started."""

import os
import pwd
import shutil

import pytest

WHOAMI = ("whoami", "-f", "json")
REFRESH = ("user", "export-token", "--force-refresh")


@pytest.fixture
def elsewhere(online, service):
    """A login in a database that is found only by its name."""
    service.seed(online.home / "here.sqlite3", expires_in=3600)
    (online.home / "sub").mkdir()
    return online


@pytest.mark.parametrize("name", ["here.sqlite3", "./here.sqlite3", "sub/../here.sqlite3"])
def test_a_relative_database(elsewhere, name):
    result = elsewhere.run(*WHOAMI, "--db", name)
    assert (result.code, result.err) == (0, "")
    assert result.json["accountType"] == "BuilderId"


def test_a_relative_database_is_seen_from_the_working_directory(elsewhere):
    sub = elsewhere.home / "sub"
    assert elsewhere.run(*WHOAMI, "--db=../here.sqlite3", cwd=sub).code == 0
    missed = elsewhere.run("whoami", "--db", "here.sqlite3", cwd=sub)
    assert missed.code == 4
    assert f"{sub}/here.sqlite3 (no such file)" in missed.err


def test_the_root_directory_gives_no_second_slash(q):
    assert "none in /no.sqlite3 (" in q.run("whoami", "--db", "no.sqlite3", cwd="/").err


def test_a_tilde_is_still_the_home_directory(elsewhere):
    assert elsewhere.run(*WHOAMI, "--db", "~/here.sqlite3", cwd="/").code == 0


def test_without_home_the_user_database_says_where_it_is(q):
    del q.env["HOME"]
    home = pwd.getpwuid(os.geteuid()).pw_dir.rstrip("/")
    said = q.run("whoami", "--db", "~/no.such.file/data.sqlite3")
    assert said.code == 4
    assert f"{home}/no.such.file/data.sqlite3" in said.err


def test_a_relative_ca_bundle(online, login, service):
    online.env["AWS_ENDPOINT_URL_SSO_OIDC"] = service.tls_url
    shutil.copy(service.ca, online.home / "ca.pem")
    assert online.run(*REFRESH).code == 5  # nobody knows this certificate
    assert online.run(*REFRESH, "--ca-bundle", "ca.pem").code == 0
    assert online.run(*REFRESH, "--ca-bundle", "~/ca.pem", cwd="/").code == 0


def test_both_can_be_relative(elsewhere, service):
    elsewhere.env["AWS_ENDPOINT_URL_SSO_OIDC"] = service.tls_url
    shutil.copy(service.ca, elsewhere.home / "ca.pem")
    assert elsewhere.run(*REFRESH, "--db=here.sqlite3", "--ca-bundle=ca.pem").code == 0


def test_the_environment_has_absolute_paths_only(elsewhere):
    elsewhere.env["Q_DB"] = "here.sqlite3"
    result = elsewhere.run("whoami")
    assert result.code == 2
    assert "absolute path" in result.err


def test_a_working_directory_that_is_gone_is_a_usage_error(q):
    result = q.shell('mkdir gone; cd gone; rmdir ../gone; "$Q" whoami --db here.sqlite3')
    assert (result.code, result.out) == (2, ""), result
    assert "'here.sqlite3'" in result.err and "give an absolute path" in result.err


def test_a_path_that_is_too_long_is_a_usage_error(q):
    result = q.run("whoami", "--db", "x" * 4096)
    assert (result.code, result.out) == (2, ""), result
    assert "too long" in result.err
