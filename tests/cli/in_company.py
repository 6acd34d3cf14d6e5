# SPDX-License-Identifier: Apache-2.0
"""
A process that uses the library and Python's own sqlite3 on one database; run by test_refresh.py.

Two copies of SQLite in one process do not know of each other. Each part below prints its name when
it has held; anything else is a failure.
"""

import os
import sqlite3
import subprocess
import sys
import threading

from library import AQ_E_BUSY, Client, Failed

DB = sys.argv[1]
OUTSIDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    connection.execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
"""


def outsider():
    """What a third process is told that wants to write."""
    command = [sys.executable, "-c", OUTSIDER, DB]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


python = sqlite3.connect(DB, timeout=0, isolation_level=None)
first, second = Client(), Client()

python.execute("BEGIN EXCLUSIVE")
try:
    first.access_token()
except Failed as failed:
    assert failed.status == AQ_E_BUSY, failed
    print("the library respects Python's lock")
python.execute("ROLLBACK")

tokens = []
threads = [
    threading.Thread(target=lambda client=client: tokens.append(client.access_token()))
    for client in (first, second)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(tokens) == 2 and tokens[0] == tokens[1], "two clients, two tokens"
print("two clients got one token")

python.execute("BEGIN IMMEDIATE")
third = Client()
third.access_token()
third.close()
second.close()
assert outsider() == "database is locked", "reading and closing dropped Python's lock"
print("Python's lock survives the library's reading and closing")
python.execute("ROLLBACK")
assert outsider() == "", "somebody still holds a lock"
python.close()
assert first.access_token() == tokens[0]
first.close()
print("nobody holds a lock at the end")
sys.stdout.flush()
os._exit(0 if len(tokens) == 2 else 1)
