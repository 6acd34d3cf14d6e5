# SPDX-License-Identifier: Apache-2.0
"""R4, R5: whatever the sign-in service answers, or does not, the login stays where it is."""

import pytest
from harness import EXPORT, REFRESH, finish, report, rounds
from qservice.errors import OIDC

TEMPORARY, LOGIN_NEEDED = 5, 6
# Those that only a new login helps against; all others may pass.
FINAL = {
    "access_denied",
    "expired_token",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
}
UNUSABLE = [
    {"html": True},
    {"html": True, "status": 200},
    {"status": 400},
    {"status": 407},
    {"status": 429},
    {"status": 500},
    {"status": 503, "html": True},
    {"body": "", "status": 500},
    {"body": "[]", "status": 200},
    {"body": "null", "status": 200},
    {"body": "{" * 5000, "status": 200},
    {"body": '{"accessToken":"a\\u0000b","expiresIn":3600}', "status": 200},
    {"body": '{"accessToken":"a b","expiresIn":3600}', "status": 200},
    {"body": " " * (2 << 20), "status": 200},
    {"redirect": "http://127.0.0.1:1/"},
    {"empty": True},
    {"gzip": True},
    {"truncate": 1},
    {"truncate": 300},
    {"remove": ["accessToken"]},
    {"set": {"accessToken": None}},
    {"set": {"accessToken": ""}},
    {"set": {"expiresIn": 0}},
    {"set": {"expiresIn": -1}},
    {"set": {"expiresIn": 1 << 31}},
    {"set": {"expiresIn": "3600"}},
    {"cut": {"offset": 1}},
    {"cut": {"offset": 300}, "reset": True},
    {"cut": {"offset": 300, "clean": True}},
    {"drop": "before"},
    {"drop": "before", "reset": True},
]
LOST = [
    {"drop": "after"},
    {"drop": "after", "reset": True},
    {"cut": {"offset": 0}},
    {"cut": {"offset": 300}},
    {"status": 500, "act": True},
    {"html": True, "act": True},
]


def fail_once(online, service, fault, codes):
    """One refresh of an expired token that must leave every byte as it is; its end."""
    service.reset(logins=True)
    service.seed(online.db, expires_in=-60, unknown_member=True)
    service.fault(REFRESH, **fault)
    before = online.db.read_bytes()
    result = online.run(*EXPORT)
    assert result.code in codes, (fault, result)
    assert result.out == ""
    assert online.db.read_bytes() == before, fault
    assert sorted(p.name for p in online.db.parent.iterdir()) == ["data.sqlite3"]
    assert service.calls(REFRESH) == 1, fault
    return result


def test_every_error_of_the_service_keeps_the_row_byte_for_byte(online, service):
    count = rounds(1, 20)
    for _ in range(count):
        for error in OIDC:
            code = LOGIN_NEEDED if error in FINAL else TEMPORARY
            fail_once(online, service, {"oidc_error": error}, [code])
    report("R4", f"every error of the service ({len(OIDC)})", count * len(OIDC))


def test_every_unusable_answer_keeps_the_row_byte_for_byte(online, service):
    count = rounds(1, 20)
    for _ in range(count):
        for fault in UNUSABLE:
            fail_once(online, service, fault, [TEMPORARY])
    what = "HTML, statuses, empty, truncated, cut, compressed, redirected and absurd answers"
    report("R4", f"{what} ({len(UNUSABLE)})", count * len(UNUSABLE))


def test_an_answer_that_does_not_come_keeps_the_row_and_is_not_asked_for_again(new_home, service):
    """Both wait for the same deadline: one answer was never made, one was made and got stuck."""
    homes = [new_home(), new_home()]
    for home in homes:
        service.seed(home.db, expires_in=-60)
    before = [home.db.read_bytes() for home in homes]
    service.fault(REFRESH, {"hold": "before"}, {"stall": True})
    running = [home.start(*EXPORT) for home in homes]
    for code, out, err in map(finish, running):
        assert (code, out) == (TEMPORARY, ""), err
        assert "took too long" in err
    assert [home.db.read_bytes() for home in homes] == before
    assert service.calls(REFRESH) == 2
    report("R4", "no answer before the deadline", 2)


@pytest.mark.parametrize("rotation", ["strict", "grace"])
def test_an_answer_that_was_lost_is_not_asked_for_again(online, service, rotation):
    """The refresh token is spent, its successor is nowhere: the service decides what is lost."""
    count, needed = rounds(1, 20), 0
    for _ in range(count):
        for fault in LOST:
            fail_once(online, service, fault, [TEMPORARY])
            service.settings(rotation=rotation)
            row, later = online.row(), online.run(*EXPORT)
            if rotation == "grace":
                assert later.code == 0, later
                continue
            assert later.code == LOGIN_NEEDED and "log in again" in later.err, later
            assert online.row() == row
            needed += 1
    what = f"answer lost after the service acted, {rotation} rotation"
    lost = f"{needed}: row kept, new login asked for" if needed else 0
    report("R5", what, count * len(LOST), lost)


@pytest.mark.parametrize("fault", LOST[:4], ids=str)
def test_after_a_lost_answer_the_message_does_not_promise_that_nothing_is_lost(
    online, service, fault
):
    result = fail_once(online, service, fault, [TEMPORARY])
    assert "nothing is lost" not in result.err


def test_without_a_connection_the_message_says_that_nothing_is_lost(online, service):
    service.seed(online.db, expires_in=-60)
    online.env["AWS_ENDPOINT_URL_SSO_OIDC"] = "http://127.0.0.1:1"
    result = online.run(*EXPORT)
    assert result.code == TEMPORARY and "nothing is lost" in result.err
