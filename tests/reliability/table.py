# SPDX-License-Identifier: Apache-2.0
"""table.py RESULTS: docs/reliability.md from what the tests reported, on stdout."""

import json
import sys
from datetime import date

INTRODUCTION = """\
# Reliability: what was broken, and what it cost

Written by `scripts/reliability` on {today}, which runs `tests/reliability` in its long form: the
real command and library against the stand-in service, with `rotation` `strict` (a refresh token is
good for one use) unless a row says `grace`. The same tests run in a shorter form in every `ctest`.

**The promise: no fault makes a login disappear.** The one exception is a process that ends, or an
answer that is lost or cannot be used, between the service's acting and the disk, on a service that forgets the old
refresh token at once: no client can prevent that. Then the row is kept and the message asks for a
new login. "By it" is a login that the existing CLI's own algorithm deleted.

"""
LOGINS = """\
| row | injected | times | logins lost |
|---|---|--:|---|
"""
STORE = """
The store alone: its values, its file and its locks under every fault that we could make.

| row | injected | times | values lost |
|---|---|--:|---|
"""
EXCHANGE = """
One exchange with the service as the core sees it, step by step beside a model of it.

| row | injected | times | what came of it |
|---|---|--:|---|
"""
NETWORK = """
The network, on the way to the service: hostile and broken peers on both HTTP versions, with and
without TLS; with transport-curl, or with transport-h2 where it says (h2).

| row | injected | times | what came of it |
|---|---|--:|---|
"""
CONTAINERS = """
The login in a container: the directory of the database mounted, or the database as a single file.

| row | injected | times | logins or values lost |
|---|---|--:|---|
"""
NAMES = """
## Rows

- R1, R2: many processes and threads on one login, alone and with the existing CLI's algorithm
- R3: SIGKILL; R4: errors and unusable answers; R5: answers that are lost
- R6: the answer cannot be saved; R7: the store cannot be written from the start; S6: it is locked
- R8: wrong clocks; R9: logout during a refresh; R11: a stopped lock holder
- R12: a keyring that is locked, gone, killed, stopped or late
- S1: memory; S2: system calls; S3: kills; S4: power; S5: company; S7: journals; S8: damage; S9: modes;
  S10, S13: paths that change; S12: full disks; S14: another SQLite
- D5: the order of events, and their end
- T1: redirects; T2: peers that cannot prove who they are; T3: endpoints that may not be shown a
  login; T4: headers without end; T5: floods and broken frames of HTTP/2; T6: stalls, and
  cancelling; T7: encodings and framing; T8: hundreds of answers at a time; T9: many short calls; T10:
  connections lost
- K1: database mounted as a single file; K2: its directory mounted; K3: WAL mode; K4: read-only
  places and other users' files; K5: who renews it; K6: file systems of other machines; K7: file
  replaced under the mount
- C4: signals during a refresh: the command ends within 2 s and what was answered is saved
"""


SECTIONS = (
    ("RC", LOGINS),
    ("K", CONTAINERS),
    ("S", STORE),
    ("D", EXCHANGE),
    ("T", NETWORK),
)


def rank(line):
    row = line["row"]
    return "RCKSDT".index(row[0]), int(row[1:])


def merged(lines):
    """Equal faults in one line."""
    times = {}
    for line in lines:
        key = line["row"], line["injected"], line["lost"]
        times[key] = times.get(key, 0) + line["times"]
    return [dict(row=r, injected=i, lost=n, times=t) for (r, i, n), t in times.items()]


def main(path):
    with open(path) as file:
        lines = merged(json.loads(line) for line in file)
    if not lines:
        sys.exit("table.py: no results")
    print(INTRODUCTION.format(today=date.today().isoformat()), end="")
    for rows, heading in SECTIONS:
        print(heading, end="")
        for line in sorted(lines, key=rank):
            if line["row"][0] in rows:
                print("| {row} | {injected} | {times} | {lost} |".format(**line))
    print(NAMES, end="")


main(sys.argv[1])
