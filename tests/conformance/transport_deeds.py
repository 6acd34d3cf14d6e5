# SPDX-License-Identifier: Apache-2.0
"""
What wrong transports do, and which clauses that breaks.

Each is tests/plugins/fakes/wrong_transport: transport-curl, except for one deed.
"""

TLS = {f"transport.tls.{why}" for why in ("name", "expired", "authority", "self-signed")}
TIMEOUTS = {f"transport.timeout.{phase}" for phase in ("connect", "first-byte", "idle", "total")}

DEEDS = {
    # what a process does not survive
    "longjmp": {"plugin.returns"},
    "null-crashes": {"transport.null"},
    "step-blocks": {"transport.step.never-blocks"},
    "interest-blocks": {"transport.interest.prompt"},
    "start-blocks": {"transport.start.never-blocks"},
    "read-blocks": {"transport.read.never-blocks"},
    "finish-blocks": {"transport.finish.never-blocks"},
    "close-blocks": {"transport.close.prompt"},
    # when it says ready
    "ready-twice": {"transport.ready.once"},
    "ready-in-interest": {"transport.ready.inside-step"},
    "ready-finished": {"transport.ready.after-finish"},
    "ready-own-pointer": {"transport.ready.cookie"},
    "calls-after-close": {"plugin.after-close"},
    # what the host is to wait for
    "interest-changes": {"transport.interest.same-descriptor"},
    "interest-file": {"transport.interest.pollable"},
    "interest-nothing": {"transport.ready.said"},
    "interest-overdue": {"transport.interest.deadline"},
    "interest-busy": {"transport.interest.rests-with-calls"},
    "restless": {"transport.interest.rests-without-calls"},
    "eager": {"transport.open.quiet"},
    "start-sleeps": {"transport.interest.readable"},
    "own-clock": {"transport.interest.deadline"},
    "clock-ahead": {"transport.interest.clock"} | TIMEOUTS,
    # what it gives back
    "open-nothing": {"transport.open"},
    "start-nothing": {"transport.start.call"},
    "step-status": {"plugin.status"},
    "status-login": {"plugin.status"},
    "says-h2": {"transport.protocols"},
    "response-interim": {"transport.response.status"},
    "response-nameless": {"transport.response.views"},
    "response-drops-field": {"transport.response.head"},
    "interim-fields-stay": {"transport.response.interim"},
    "head-of-the-instance": {"transport.response.valid"},
    "status-500-is-error": {"transport.response.any-status"},
    "decodes": {"transport.response.encoded"},
    "push-disturbs": {"transport.response.pushed"},
    "read-nothing": {"transport.read.bounded"},
    "read-too-much": {"transport.read.bounded"},
    "read-negative": {"transport.read.bounded"},
    "read-end-once": {"transport.read.end"},
    "read-turns-over": {"transport.body.exact"},
    "holds-back": {"transport.body.in-time"},
    # what it sends, and how often
    "adds-field": {"transport.request.exact"},
    "delete-is-get": {"transport.request.method"},
    "cuts-uploads": {"transport.request.body"},
    "borrows-requests": {"transport.request.copied"},
    "mends-requests": {"transport.request.injection"},
    "strips-user": {"transport.request.url"},
    "retries": {"transport.request.once"},
    "follows-redirects": {"transport.response.redirect"},
    "sends-cookies": {"transport.response.cookies"},
    "bearer-after-redirect": {"transport.secret.named-host"},
    # calls and connections among each other
    "one-call-a-connection": {"transport.connections.reused"},
    "keeps-dead-connections": {"transport.connections.closed"},
    "goaway-stays": {"transport.error.goaway", "transport.error.truncated"},
    "one-close-for-all": {"transport.instances.apart"},
    "few-calls": {"transport.calls.many"},
    "refuses-while-unread": {"transport.calls.independent"},
    "refuses-while-stalled": {"transport.finish.stalled"},
    "one-name-at-a-time": {"transport.finish.name"},
    "finish-before-step-harms": {"transport.finish.any-point"},
    "finish-unread-harms": {"transport.finish.unread"},
    "close-needs-a-step": {"transport.close.in-the-middle"},
    # limits
    "hoards": {"transport.body.backpressure"},
    "no-header-limit": {"transport.response.limit"},
    "no-connect-timeout": {"transport.timeout.connect"},
    "no-first-byte-timeout": {"transport.timeout.first-byte"},
    "no-idle-timeout": {"transport.timeout.idle"},
    "no-total-timeout": {"transport.timeout.total"},
    "idle-while-unread": {"transport.timeout.unread"},
    # how it fails
    "cut-is-end": {"transport.error.truncated", "transport.error.protocol"},
    "refused-is-timeout": {"transport.error.refused"},
    "no-answer-is-timeout": {"transport.error.no-answer"},
    "broken-is-network": {"transport.error.protocol", "transport.response.encoded"},
    "says-not-sent": {"transport.error.not-sent"},
    "error-silent": {"plugin.error-text"},
    "error-shows-request": {"plugin.secrets", "transport.secret.silent"},
    "tls-is-network": TLS,
    "no-memory-is-network": {"transport.memory"},
    # by which way
    "no-proxy-at-all": {"transport.proxy.tunnel", "transport.proxy.refused",
                        "transport.facts.proxy"},
    "no-exceptions": {"transport.proxy.exceptions"},
    "plain-asks-proxy": {"transport.proxy.plain"},
    "proxy-of-the-environment": {"transport.proxy.environment"},
    # what it tells
    "facts-of-another-peer": {"transport.facts.true"},
    "facts-of-an-answer": {"transport.facts.failed"},
    "facts-with-user": {"transport.facts.proxy"},
    # what it does to its process
    "changes-signals": {"transport.process.signals"},
    "raises-sigpipe": {"transport.process.sigpipe"},
    "leaks-descriptor": {"transport.process.descriptors"},
    "leaks-memory": {"transport.process.memory"},
    "forgets-fork": {"transport.process.fork"},
}

# Of a build with sanitizers, which see more: LeakSanitizer looks at the end of every trial.
SANITIZED_DEEDS = {"leaks-memory": {"plugin.sanitizers"}}

# What every trial watches over, whichever are asked for; asked for by name, all clauses are tried.
WATCHED = {
    "transport.close.prompt",
    "transport.finish.never-blocks",
    "transport.interest.deadline",
    "transport.interest.pollable",
    "transport.interest.prompt",
    "transport.interest.same-descriptor",
    "transport.read.bounded",
    "transport.read.end",
    "transport.read.never-blocks",
    "transport.ready.after-finish",
    "transport.ready.cookie",
    "transport.ready.inside-step",
    "transport.ready.once",
    "transport.ready.said",
    "transport.response.status",
    "transport.response.views",
    "transport.start.call",
    "transport.start.never-blocks",
    "transport.step.never-blocks",
}

# Many calls, in many states: what every trial watches over is seen here.
ALWAYS = {"transport.request.once", "transport.response.head", "transport.body.in-time"}
# Some need more than that.
SEEN_IN = {
    "read-too-much": {"transport.body.exact"},
    "read-negative": {"transport.body.exact"},
    "step-blocks": {"transport.finish.stalled"},
}
OTHERS = 4
SLOW = {"transport.finish.any-point", "transport.timeout.unread"}


def tried_with(deed, clauses):
    """Of all clauses of transports, those that this deed is tried with: its own, and others."""
    able = sorted(set(clauses) - WATCHED - SLOW)
    first = list(DEEDS).index(deed) * OTHERS
    others = {able[(first + n) % len(able)] for n in range(OTHERS)}
    own = {id for id in DEEDS[deed] - WATCHED if not id.startswith("plugin.")}
    return sorted(own | others | ALWAYS | SEEN_IN.get(deed, set()))
