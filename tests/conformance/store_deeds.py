# SPDX-License-Identifier: Apache-2.0
"""
What wrong stores do, and which clauses that breaks.

Those of the first tables are tests/plugins/fakes/wrong_store: sound, except for one deed.
"""

# deed: the clauses it breaks
DEEDS = {
    # what a process does not survive
    "abort": {"plugin.returns"},
    "exit": {"plugin.returns"},
    "longjmp": {"plugin.returns"},
    "commit-crashes": {"plugin.returns"},
    "blocks": {"store.in-time"},
    "closes-and-blocks": {"store.in-time"},
    # what it calls, and how
    "get-nothing": {"store.put"},
    "get-null": {"store.put"},
    "get-negative": {"store.put"},
    "get-old-sink": {"store.put"},
    "get-other-key": {"store.put"},
    "get-twice": {"store.put"},
    "commit-puts": {"plugin.put"},
    "ready": {"plugin.ready"},
    "thread": {"plugin.threads"},
    "calls-after-close": {"plugin.after-close"},
    "prints": {"plugin.streams"},
    "leaves-process": {"plugin.processes"},
    "leaves-child": {"plugin.processes"},
    "logs-lines": {"plugin.log"},
    # what it says
    "status-positive": {"plugin.status"},
    "status-unknown": {"plugin.status"},
    "status-login": {"plugin.status"},
    "error-silent": {"plugin.error-text"},
    "error-lines": {"plugin.error-text"},
    "error-endless": {"plugin.error-text"},
    "error-other-status": {"plugin.error-status"},
    "secret-in-error": {"plugin.secrets"},
    # opening and reading
    "open-nothing": {"store.usable"},
    "open-creates": {"store.open.creates-nothing"},
    "get-chmods": {"store.open.creates-nothing"},
    "get-creates": {"store.open.creates-nothing"},
    "leaks-descriptor": {"store.close.gives-back"},
    "leaks-memory": {"store.close.gives-back"},
    "close-null-crashes": {"store.close.null"},
    "absent-is-io": {"store.get.absent"},
    "put-ignored": {"store.get.put-failed"},
    "list-twice": {"store.list.keys"},
    "list-ghost": {"store.list.found"},
    # saving
    "saves-nothing": {"store.commit.saves"},
    "half-commit": {"store.commit.all-or-nothing"},
    "compares-beginnings": {"store.commit.compares"},
    "keep-removes": {"store.commit.keeps"},
    "removes-alone": {"store.commit.applies-all"},
    "remove-absent-fails": {"store.commit.remove-absent"},
    "keeps-pointers": {"store.commit.borrowed"},
    "stride-ignored": {"store.commit.stride"},
    "read-only": {"store.commit.read-only"},
    "cuts-values": {"store.value.sizes"},
    "value-by-strlen": {"store.value.bytes"},
    "key-by-strlen": {"store.commit.saves"},
    "keys-without-case": {"store.value.keys"},
    "world-readable": {"store.value.private"},
    "can-save-lies": {"store.can-save.truth"},
    "can-save-says-no": {"store.can-save.harmless"},
    "can-save-writes": {"store.can-save.harmless", "store.full.file", "store.full.disk"},
    # the lock
    "lock-forgotten": {"store.lock.excludes", "store.lock.processes"},
    "lock-of-the-process": {"store.lock.processes"},
    "lock-outlives": {"store.lock.death"},
    "close-keeps-lock": {"store.lock.close"},
    "unlock-others": {"store.lock.unlock", "store.fork"},
    "lock-in-the-way": {"store.lock.apart"},
    "child-cannot-open": {"store.fork"},
    # company and faults
    "loses-updates": {"store.company.threads", "store.company.processes"},
    "locks-the-process": {"store.company.threads"},
    "caches-values": {"store.company.instances"},
    "two-writes": {"store.kill"},
    "full-disk-loses": {"store.full.file", "store.full.disk"},
    "no-memory-is-absent": {"store.memory.reading"},
    "no-memory-is-io": {"store.memory.saving"},
}

# Of a token server: store-granting.
GRANT_DEEDS = {
    "grant-plain": {"store.grant.answers"},
    "grant-any": {"store.grant.no-refresh"},
    "grant-says-refresh": {"store.grant.no-refresh"},
    "grant-forgets": {"store.grant.side-by-side"},
    "grant-blocks": {"store.in-time"},
}

# Of a store that a process serves, which is stopped and killed.
BACKEND_DEEDS = {
    "backend-stopped-is-absent": {"store.backend.stopped"},
    "backend-killed-is-absent": {"store.backend.killed"},
    "can-save-without-backend": {"store.backend.killed"},
}

# Of a build with sanitizers, which see more: LeakSanitizer looks at the end of every trial.
SANITIZED_DEEDS = {
    "key-by-strlen": {"plugin.sanitizers"},
    "leaks-memory": {"plugin.sanitizers"},
}

# What every trial watches over, whichever are asked for; asked for by name, all clauses are tried.
WATCHED = {"store.put", "store.in-time"}

# These take longer than all others together: each deed is tried with its own, and with one of them.
SLOW = [
    "store.close.gives-back",
    "store.company.processes",
    "store.company.threads",
    "store.full.file",
    "store.kill",
    "store.memory.saving",
]


def tried_with(deed, broken, clauses):
    """Of all clauses of stores, those that a deed is tried with which breaks some of them."""
    turn = SLOW[sum(map(ord, deed)) % len(SLOW)]
    others = set(clauses) - WATCHED - set(SLOW)
    return sorted(others | {turn} | {id for id in broken - WATCHED if id.startswith("store.")})
