# SPDX-License-Identifier: Apache-2.0
"""R1, R3 for the Kiro CLI's kinds of login, which have no client registration to ask about."""

import random
import signal

import pytest
from harness import EXPORT, FORCE, SEED, at_random, finish, report, rounds, rows, spilled

PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"
OPERATIONS = {"social": "RefreshToken", "external-idp": "IdpToken"}
PROCESSES, LOGIN_NEEDED, LONGEST_S = 16, 6, 0.15

each_kind = pytest.mark.parametrize("kind", OPERATIONS)
both_rotations = pytest.mark.parametrize("rotation", ["strict", "grace"])


@pytest.fixture
def kiro(online, service):
    online.db = online.data / "kiro-cli" / "data.sqlite3"
    online.env["Q_SOCIAL_ENDPOINT_URL"] = service.url
    online.env["AWS_CA_BUNDLE"] = service.ca
    return online


def prepare(kiro, service, kind, rotation):
    service.reset(logins=True)
    service.settings(rotation=rotation)
    service.seed_kiro(kiro.db, kind=kind, profile=PROFILE, expires_in=-60, unknown_member=True)
    return rows(kiro)


@each_kind
def test_sixteen_processes_make_exactly_one_call(kiro, service, kind):
    count = rounds(1, 50)
    for _ in range(count):
        prepare(kiro, service, kind, "strict")
        service.fault(OPERATIONS[kind], hold="before")
        running = [kiro.start(*EXPORT) for _ in range(PROCESSES)]
        service.wait(OPERATIONS[kind], held=1)
        service.release()
        assert [finish(process)[0] for process in running] == [0] * PROCESSES
        assert service.calls(OPERATIONS[kind]) == 1
        assert kiro.run(*FORCE).code == 0
    report("R1", f"{PROCESSES} processes, one expired {kind} token", count)


@both_rotations
@each_kind
def test_killed_at_any_moment_the_row_is_the_old_one_or_the_new_one(
    kiro, service, kind, rotation
):
    """Lost is only what the service had spent and nobody could save; and then it is said."""
    chance, count, lost = random.Random(SEED), rounds(6, 200), 0
    for _ in range(count):
        before = prepare(kiro, service, kind, rotation)
        process = kiro.start(*EXPORT)
        at_random(chance, LONGEST_S, process)
        process.send_signal(signal.SIGKILL)
        finish(process)
        assert set(rows(kiro)) == set(before)
        result = kiro.run(*EXPORT)
        if result.code != 0:
            assert (rotation, result.code) == ("strict", LOGIN_NEEDED), result
            assert rows(kiro) == before
            lost += 1
            continue
        assert kiro.run(*FORCE).code == 0  # what is stored is good
        assert not spilled(kiro)
    assert rotation == "strict" or lost == 0
    told = f"{lost}: row kept, new login asked for" if lost else 0
    report("R3", f"SIGKILL at random moments of a {kind} refresh, {rotation}", count, told)
