# SPDX-License-Identifier: Apache-2.0
"""A single file of the host's in a container (`-v FILE:FILE`): what can only be replaced as a
whole, or takes more than a page of the database, is refused before anything is changed or anybody
is asked."""

import sqlite3

import pytest
from box import box, cannot_be
from mounts import needs_mounts
from ways import file

LOGIN = ("login", "--license", "free", "--use-device-flow")
ADVICE = (
    "mounted as a single file, where this could be lost while it is saved, "
    "mount its directory instead"
)

pytestmark = needs_mounts
as_each = pytest.mark.parametrize("who", ["root", "same uid", "user namespace"])


@pytest.fixture
def container(who, service):
    if reason := cannot_be(who):
        pytest.skip(reason)
    with box(who, service) as made:
        yield made


def log_out(host):
    connection = sqlite3.connect(host.db)
    with connection:
        connection.execute("DELETE FROM auth_kv")
    connection.close()


@as_each
def test_nobody_is_asked_to_confirm_a_login_that_could_not_be_saved(container, new_host, service):
    host = new_host(3600)
    log_out(host)
    before = host.db.read_bytes()
    file(container, host)
    result = container.run(container.q, *LOGIN)
    assert (result.code, result.out) == (3, ""), result
    assert ADVICE in result.err and len(result.err.splitlines()) == 1
    assert service.counters()["connections"] == 0
    assert host.db.read_bytes() == before
    host.assert_sound()


@as_each
def test_a_login_that_has_expired_is_renewed_in_place(container, new_host, service):
    host = new_host(-60)
    inode = host.db.stat().st_ino
    file(container, host)
    result = container.run(container.q, *LOGIN)
    assert result.code == 1 and "there is one already" in result.err, result
    assert service.calls("CreateToken:refresh_token") == 1
    assert host.db.stat().st_ino == inode
    host.assert_sound()
    host.assert_login_is_good()


@as_each
def test_a_logout_is_refused_and_the_login_is_as_good_as_before(container, new_host):
    host = new_host(3600)
    before = host.db.read_bytes()
    file(container, host)
    result = container.run(container.q, "logout")
    assert result.code == 3 and ADVICE in result.err, result
    assert host.db.read_bytes() == before
    host.assert_login_is_good()


@pytest.mark.parametrize("who", ["root"])
def test_settings_are_read_and_not_replaced(container, new_host):
    host = new_host(3600)
    settings = host.db.parent / "settings.json"
    settings.write_text('{"store": "sqlite"}\n')
    settings.chmod(0o600)
    file(container, host)
    mounted = container.mount(settings, container.data / settings.name)
    assert container.run(container.q, "settings", "store").out == "sqlite\n"
    result = container.run(container.q, "settings", "store", "keyring")
    assert result.code == 1
    assert result.err == (
        f"q: {mounted}: mounted as a single file, which cannot be replaced, "
        "change it where it comes from, or mount its directory instead\n")
    assert settings.read_text() == '{"store": "sqlite"}\n'
    assert sorted(path.name for path in mounted.parent.iterdir()) == ["data.sqlite3", settings.name]
