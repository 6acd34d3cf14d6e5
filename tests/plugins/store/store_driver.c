/* SPDX-License-Identifier: Apache-2.0 */
/* One store-sqlite in a process of its own, for tests that break its system calls from outside.
 * Each line on stdout is an operation, its status, and what was read.
 *
 *     store_driver get PATH KEY
 *     store_driver list PATH
 *     store_driver save PATH KEY VALUE [KEY VALUE]...
 *                                          what a refresh does in one commit, and then a get
 */
#include "instance.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* System calls before the first and after the last marker are not those of a save. */
#define MARKER "/store_driver-marker"

enum { PAIRS_MAX = 4 };

static void mark(void)
{
    if (access(MARKER, F_OK) == 0) {
        _exit(1);
    }
}

static void say(const char *what, aq_status status, const char *text)
{
    printf("%s %d %s\n", what, (int)status, text);
    fflush(stdout);
}

static void get(struct instance *i, const char *what, const char *key)
{
    aq_status status = instance_get(i, key);
    say(what, status, status == AQ_OK ? i->value : i->err.text);
}

static void list(struct instance *i)
{
    aq_status status = instance_list(i);
    say("list", status, status == AQ_OK ? i->keys : i->err.text);
}

/* Pairs of key and value; the first key is also read. */
static void save(struct instance *i, char **pairs, uint32_t count)
{
    struct aq_change changes[PAIRS_MAX] = { 0 };
    for (uint32_t n = 0; n < count; n++) {
        const char *value = pairs[2 * n + 1];
        changes[n].key = (struct aq_str){ pairs[2 * n], strlen(pairs[2 * n]) };
        changes[n].action = AQ_CHANGE_PUT;
        changes[n].value = (struct aq_bytes){ (const uint8_t *)value, strlen(value) };
    }
    mark();
    get(i, "before", pairs[0]);
    say("lock", i->ops->lock(i->self, &i->err), "");
    say("can_save", i->ops->can_save(i->self, &i->err), "");
    aq_status status = instance_commit(i, changes, count);
    say("commit", status, status == AQ_OK ? "" : i->err.text);
    i->ops->unlock(i->self);
    mark();
    get(i, "after", pairs[0]);
}

int main(int argc, char **argv)
{
    struct instance i;
    if (argc < 3) {
        return 2;
    }
    instance_open_sqlite(&i, argv[2]);
    if (strcmp(argv[1], "get") == 0 && argc == 4) {
        get(&i, "get", argv[3]);
    } else if (strcmp(argv[1], "list") == 0) {
        list(&i);
    } else if (strcmp(argv[1], "save") == 0 && argc > 3 && argc % 2 && argc <= 3 + 2 * PAIRS_MAX) {
        save(&i, argv + 3, (uint32_t)(argc - 3) / 2);
    } else {
        return 2;
    }
    instance_close(&i);
    return 0;
}
