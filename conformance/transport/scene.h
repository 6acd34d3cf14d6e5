/* SPDX-License-Identifier: Apache-2.0 */
/* The lab of a trial, and which of its protocols the transport speaks. */
#ifndef CONFORMANCE_SCENE_H
#define CONFORMANCE_SCENE_H

#include "lab/lab.h"
#include "trial.h"

enum { WAYS = 4 };

struct way {
    enum lab_listener listener;
    bool tls, http2;
    const char *protocol; /* as a response names it */
    const char *name;     /* "HTTP/2 over TLS" */
};

extern const struct way ways[WAYS];

struct scene {
    struct trial *trial;
    struct lab lab;
    bool speaks[WAYS];
    char refusal[WAYS][200]; /* what it said of those that it does not speak */
};

/* Start the lab and find out. Skips the trial if the transport speaks nothing at all. "/" is
 * answered with "ok" if the table does not say otherwise. */
void scene_open(struct scene *s, struct trial *t, const struct lab_answer *answers);
void scene_close(struct scene *s);

/* The same in two steps: start the lab; find out. False: nothing at all. */
void scene_open_unknown(struct scene *s, struct trial *t, const struct lab_answer *answers);
bool scene_find_ways(struct scene *s);

/* The ways that it speaks, one after the other: for (w = scene_next(s, NULL); w; w = ...) */
const struct way *scene_next(const struct scene *s, const struct way *before);

/* The first that is so; NULL if there is none. */
const struct way *scene_with_tls(const struct scene *s);
const struct way *scene_with_http2(const struct scene *s);

/* Wait until nobody has a connection to the lab any more. False: some stay. */
bool scene_is_quiet(const struct scene *s);

#endif
