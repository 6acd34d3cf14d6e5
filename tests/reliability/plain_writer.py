# SPDX-License-Identifier: Apache-2.0
"""plain_writer.py DATABASE: what a program without this library does, until it is killed: save a
token with SQLite as it comes, again and again."""

import itertools
import sqlite3
import sys

connection = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)
connection.execute("SELECT count(*) FROM auth_kv").fetchone()
print("ready", flush=True)
for number in itertools.count():
    connection.execute("UPDATE auth_kv SET value = ?", [f"container {number} " * 40])
