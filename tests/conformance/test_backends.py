# SPDX-License-Identifier: Apache-2.0
"""Stores whose service is stopped, then killed. This takes as long as they may wait for it."""

from suite import assert_sound, check_broker, check_keyring


def test_a_broker(broker):
    pid = broker.process.pid
    report = check_broker(broker, "--only", "store.backend", "--backend", pid)
    broker.process.wait()
    assert_sound(report)


def test_a_keyring(desktop):
    pid = desktop.keyring.pid
    assert_sound(check_keyring(desktop, "--only", "store.backend", "--backend", pid))
