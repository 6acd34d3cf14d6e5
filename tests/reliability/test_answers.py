# SPDX-License-Identifier: Apache-2.0
"""R4, R5: whatever the sign-in service answers, or does not, the login stays where it is."""

import pytest
from harness import EXPORT, REFRESH, finish, is_alive, report, rounds
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
# The service did not act: the refresh token is as good as it was.
NOT_DONE = [
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
    {"drop": "before"},
    {"drop": "before", "reset": True},
]
# It acted: the refresh token is spent, and what came is of no use.
SPOILT = [
    {"empty": True},
    {"gzip": True},
    {"truncate": 1},
    {"truncate": 300},
    {"remove": ["accessToken"]},
    {"set": {"accessToken": None}},
    {"set": {"accessToken": ""}},
    {"cut": {"offset": 1}},
    {"cut": {"offset": 300}, "reset": True},
    {"cut": {"offset": 300, "clean": True}},
]
LOST = [
    {"drop": "after"},
    {"drop": "after", "reset": True},
    {"cut": {"offset": 0}},
    {"cut": {"offset": 300}},
    {"status": 500, "act": True},
    {"html": True, "act": True},
]
# It acted, and what came can be used.
LIFETIMES = [
    {"remove": ["expiresIn"]},
    {"set": {"expiresIn": 0}},
    {"set": {"expiresIn": -1}},
    {"set": {"expiresIn": 1 << 31}},
    {"set": {"expiresIn": "3600"}},
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


def is_asked_to_log_in(online):
    """The next one is told the truth, and the row stays."""
    row, later = online.row(), online.run(*EXPORT)
    assert later.code == LOGIN_NEEDED and "log in again" in later.err, later
    return online.row() == row


def test_every_error_of_the_service_keeps_the_row_byte_for_byte(online, service):
    count = rounds(1, 20)
    for _ in range(count):
        for error in OIDC:
            code = LOGIN_NEEDED if error in FINAL else TEMPORARY
            fail_once(online, service, {"oidc_error": error}, [code])
            assert is_alive(online), error
    report("R4", f"every error of the service ({len(OIDC)})", count * len(OIDC))


def test_every_unusable_answer_keeps_the_row_byte_for_byte(online, service):
    count = rounds(1, 20)
    for _ in range(count):
        for fault in NOT_DONE:
            fail_once(online, service, fault, [TEMPORARY])
            assert is_alive(online), fault
    what = "HTML, statuses, redirects, absurd answers, none: the service did not act"
    report("R4", f"{what} ({len(NOT_DONE)})", count * len(NOT_DONE))


@pytest.mark.parametrize("rotation", ["strict", "grace"])
@pytest.mark.parametrize(
    "row, what, faults",
    [
        ("R4", "answer empty, truncated, cut, compressed or without an access token", SPOILT),
        ("R5", "answer lost", LOST),
    ],
    ids=["spoilt", "lost"],
)
def test_after_the_service_acted_the_row_stays_and_no_login_is_lost_to_a_service_that_gives_grace(
    online, service, row, what, faults, rotation
):
    """The refresh token is spent, its successor is nowhere: the service decides what is lost."""
    count, needed = rounds(1, 20), 0
    for _ in range(count):
        for fault in faults:
            result = fail_once(online, service, fault, [TEMPORARY])
            assert "may be spent" in result.err and "nothing is lost" not in result.err, result
            service.settings(rotation=rotation)
            if rotation == "grace":
                assert is_alive(online), fault
            else:
                assert is_asked_to_log_in(online), fault
                needed += 1
    lost = f"{needed}: row kept, new login asked for" if needed else 0
    report(row, f"{what} after the service acted, {rotation} rotation", count * len(faults), lost)


def test_tokens_whose_lifetime_makes_no_sense_are_kept_and_refreshed_by_the_next(online, service):
    count = rounds(1, 20)
    for _ in range(count):
        for fault in LIFETIMES:
            service.reset(logins=True)
            spent = service.seed(online.db, expires_in=-60)["refresh_token"]
            service.fault(REFRESH, **fault)
            assert online.run(*EXPORT).code == 0, fault
            assert online.stored()["refresh_token"] != spent
            assert online.run(*EXPORT).code == 0
            assert service.calls(REFRESH) == 2, fault
            assert is_alive(online), fault
    what = f"tokens with an absurd lifetime, or none ({len(LIFETIMES)})"
    report("R4", what, count * len(LIFETIMES))


def test_an_answer_that_does_not_come_keeps_the_row_and_is_not_asked_for_again(new_home, service):
    """Both wait for the same deadline: one answer was never made, one was made and got stuck."""
    unmade, stuck = homes = [new_home(), new_home()]
    for home in homes:
        service.seed(home.db, expires_in=-60)
    before = [home.db.read_bytes() for home in homes]
    running = []
    for home, fault in ((unmade, {"hold": "before"}), (stuck, {"stall": True})):
        service.fault(REFRESH, fault)
        running.append(home.start(*EXPORT))
        service.wait(REFRESH, held=len(running))
    for code, out, err in map(finish, running):
        assert (code, out) == (TEMPORARY, ""), err
        assert "took too long" in err and "may be spent" in err
    assert [home.db.read_bytes() for home in homes] == before
    assert service.calls(REFRESH) == 2
    assert is_alive(unmade)
    assert is_asked_to_log_in(stuck)
    report("R4", "no answer before the deadline: the service did not act", 1)
    what = "answer stuck after the service acted, strict rotation"
    report("R5", what, 1, "1: row kept, new login asked for")


def test_without_a_connection_the_message_says_that_nothing_is_lost(online, service):
    service.seed(online.db, expires_in=-60)
    online.env["AWS_ENDPOINT_URL_SSO_OIDC"] = "http://127.0.0.1:1"
    result = online.run(*EXPORT)
    assert result.code == TEMPORARY and "nothing is lost" in result.err
