/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a login looks like. Plain: a page and a code on stderr, and while something is waited for a
 * line that moves, if stderr is a terminal. JSON: one object a line on stdout, as it happens.
 */
#ifndef Q_LOGIN_VIEW_H
#define Q_LOGIN_VIEW_H

#include "session.h"

struct login_view {
    bool json;
    bool moves; /* there is a terminal that can show it */
    bool verbose;
    struct text waits; /* what for */
    unsigned picture;  /* number of the next one */
    int err;           /* first errno of writing to stdout, or 0 */
};

/* Make it, and let the session show when it waits. */
void login_view_begin(struct login_view *v, struct session *s, const struct options *o);
void login_view_done(struct login_view *v);

/* Show an event of a login; AQ_EVENT_PROFILES only with JSON. */
void login_view_event(struct login_view *v, const struct aq_event *event);

/* Profiles as a numbered list on stderr. */
void login_view_list(const struct aq_login_step *step);

/* The i-th profile of an event. */
const struct aq_profile *login_view_profile(const struct aq_login_step *step, uint32_t i);

/* The one start URL that is nobody's organisation, or none. */
bool login_view_is_builder_id(const struct aq_token *token);

#endif
