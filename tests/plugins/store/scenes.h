/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of a store, in each state that its database can be in: the tests of system
 * calls play all of one in all of the other. */
#ifndef AQ_TESTS_STORE_SCENES_H
#define AQ_TESTS_STORE_SCENES_H

#include "calls.h"
#include "instance.h"

#define OLD "the old value" /* of k, where there is one */

enum { NEW_LEN = 3900 };            /* takes a page more */
extern char new_value[NEW_LEN + 1]; /* of k, after a change */

struct fixture {
    char *dir;
    char path[600]; /* as it is given to the store */
    struct instance store;
};

int set_up(void **state);
int tear_down(void **state);

/* ---- operations ---- */

/* ctest is content with the first few, which make all the calls there are. */
enum {
    OPERATION_GET,
    OPERATION_PUT,
    OPERATION_RENEW,
    OPERATION_CAN_SAVE,
    OPERATIONS_SHORT,
    OPERATION_LIST = OPERATIONS_SHORT,
    OPERATION_SWAP,
    OPERATION_REMOVE,
    OPERATION_LOCK,
    OPERATIONS
};

struct operation {
    const char *name;
    aq_status (*run)(struct fixture *f);
    const char *after; /* value of k when it succeeded; NULL: no such key */
};

extern const struct operation operations[OPERATIONS];

aq_status operation_get(struct fixture *f);
aq_status operation_put(struct fixture *f);
aq_status operation_renew(struct fixture *f); /* what a refresh does */

/* ---- scenes ---- */

enum {
    SCENE_FIRST_USE,
    SCENE_LATER_USE,
    SCENE_NOTHING_THERE,
    SCENES_SHORT,
    SCENE_READABLE = SCENES_SHORT,
    SCENE_IN_WAL_MODE,
    SCENE_BEHIND_LINK,
    SCENE_INTERRUPTED,
    SCENE_WITHOUT_PROC,
    SCENE_READ_ONLY_ONCE,
    SCENES
};

struct scene {
    const char *name;
    void (*make)(struct fixture *f);
    const char *value; /* of k; NULL: nothing is there */
};

extern const struct scene scenes[SCENES];

void scene_make_login(struct fixture *f);

/* Whoever decides about calls refuses this one: the scene has no /proc. */
bool scene_hides(const struct call *c);

bool is_in_proc(const struct call *c);

/* Locks that are refused are not waited for long. */
void scene_open_store(struct fixture *f);

/* k has this value; NULL: there is none. */
bool scene_holds(struct fixture *f, const char *expected);

/* Remove everything; deleted files are closed when the next one is opened. */
void scene_clear(struct fixture *f);

#endif
