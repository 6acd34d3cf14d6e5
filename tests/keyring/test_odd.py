# SPDX-License-Identifier: Apache-2.0
"""A service that loses sessions, refuses, lies, asks or is late: it is said, and nothing is lost."""

import subprocess
from pathlib import Path

import pytest
from conftest import KEYRING, command_in
from session import WITH_US, Session
from stored import EXPORT, REFRESH, TO_KEYRING, TO_SQLITE, in_database

SERVICE = Path(__file__).resolve().parent / "odd_service.py"
MOVE = (*TO_KEYRING, "--purge")
WHOAMI = ("whoami", *KEYRING)

pytest.importorskip("gi", reason="python3-gi is not installed")


class Odd(Session):
    def start_keyring(self, *habits):
        command = [*WITH_US, "/usr/bin/python3", str(SERVICE), *habits]
        with open(self.home / "odd.log", "ab") as log:
            env = {**self.env, "PYTHONDONTWRITEBYTECODE": "1"}
            self.keyring = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        self._wait(lambda: self.owner_pid() == self.keyring.pid or self.keyring.poll() is not None)
        assert self.keyring.poll() is None, (self.home / "odd.log").read_text()


@pytest.fixture
def odd(home, service):
    """A function that starts the service with these habits and gives the command."""
    with Odd(home, starts_services=False) as session:

        def start(*habits):
            session.start_keyring(*habits)
            return command_in(session, service)

        yield start


def refused(q, *args, says):
    result = q.run(*args)
    assert (result.code, result.out) == (3, ""), result
    assert says in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    "habits",
    [
        (),
        ("ends_when_strangers_ask_for_a_session",),
        ("does_not_say_what_it_has",),
        ("loses_sessions",),
        ("says_locked_in_passing",),
        ("refuses_two_keys",),
        ("finds_too_much",),
    ],
)
def test_a_login_moves_in_is_refreshed_and_moves_out(odd, service, habits):
    q = odd(*habits)
    service.seed(q.db, unknown_member=True)
    seeded = in_database(q)
    assert q.run(*MOVE).code == 0
    assert q.run(*EXPORT, *KEYRING, "--force-refresh").code == 0
    assert q.run(*TO_SQLITE, "--purge").code == 0
    assert set(in_database(q)) == set(seeded)
    assert service.calls(REFRESH) == 1


def test_what_was_saved_is_read_back_with_another_session_if_need_be(odd, service):
    q = odd("loses_the_session_after_saving")
    service.seed(q.db)
    assert q.run(*MOVE).code == 0
    assert q.run(*WHOAMI).code == 0


@pytest.mark.parametrize(
    ("habit", "says"),
    [
        ("refuses_all_keys", "see the log of its service"),
        ("has_no_lock", "its service has no property Locked, update it"),
        ("stays_locked", "keyring: is locked, unlock it"),
        ("does_not_unlock", "keyring: as it was told, try again"),
        ("does_not_search", "keyring: as it was told, try again"),
        ("does_not_say_whose_it_is", "keyring: as it was told, try again"),
        ("is_late", "keyring: timeout, its service did not answer within 3 s"),
    ],
)
def test_what_stands_in_the_way_of_reading_is_named(odd, habit, says):
    refused(odd(habit), *WHOAMI, says=says)


@pytest.mark.parametrize(
    ("habit", "says"),
    [
        ("is_locked_meanwhile", "keyring: was locked meanwhile, unlock it and try again"),
        ("denies", "allow this program to use it"),
        ("fails_in_its_own_way", "keyring: as it was told, try again"),
        ("has_no_collection", "there is none with the alias 'default', create one"),
    ],
)
def test_what_stands_in_the_way_of_saving_is_named_and_the_login_stays(odd, service, habit, says):
    q = odd(habit)
    service.seed(q.db)
    seeded = in_database(q)
    refused(q, *MOVE, says=says)
    assert in_database(q) == seeded


def test_what_cannot_be_deleted_is_not_logged_out_of(odd, service):
    q = odd("does_not_delete")
    service.seed(q.db)
    assert q.run(*MOVE).code == 0
    refused(q, "logout", *KEYRING, says="keyring: as it was told")
    assert q.run(*WHOAMI).code == 0


def test_an_item_that_holds_no_text_is_named(odd, service):
    q = odd("holds_no_text")
    service.seed(q.db)
    refused(q, *MOVE, says="keyring: does not hold what was saved in it")
    refused(q, *WHOAMI, says="holds something else, delete it and log in again")


def test_a_session_that_is_always_lost_is_given_up(odd, service):
    q = odd("loses_all_sessions")
    service.seed(q.db)
    seeded = in_database(q)
    refused(q, *MOVE, says="keyring: as it was told")
    assert in_database(q) == seeded


@pytest.mark.parametrize(
    ("habit", "says"),
    [
        ("keeps_what_it_had", "keyring: does not hold what was saved in it"),
        ("ends_half_way", "keyring: its service ended before it answered"),
    ],
)
def test_what_it_says_it_has_saved_is_believed_when_it_gives_it_back(odd, service, habit, says):
    q = odd(habit)
    service.seed(q.db)
    assert q.run(*MOVE).code == 0
    service.seed(q.db)
    another = in_database(q)
    refused(q, *MOVE, "--replace", says=says)
    assert in_database(q) == another


def test_who_may_be_asked_and_answers_gets_on(odd):
    assert odd("asks_and_is_answered").run(*WHOAMI, "--interactive").code == 4


@pytest.mark.parametrize("habit", ["asks_and_is_answered", "asks_and_is_dismissed"])
def test_without_permission_the_question_is_dismissed(odd, habit):
    refused(odd(habit), *WHOAMI, says="allow it to ask you (--interactive")


def test_who_dismisses_the_question_is_told(odd):
    q = odd("asks_and_is_dismissed")
    refused(q, *WHOAMI, "--interactive", says="was not unlocked when you were asked")


def test_a_question_that_cannot_be_shown_is_an_error(odd):
    refused(odd("asks_and_cannot"), *WHOAMI, "--interactive", says="keyring: as it was told")
