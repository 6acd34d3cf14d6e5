/* SPDX-License-Identifier: Apache-2.0 */
/* One store-sqlite in a process of its own, for tests that break its system calls from outside.
 * Each line on stdout is an operation, its status, and what was read.
 *
 *     store_driver get PATH KEY
 *     store_driver list PATH
 *     store_driver save PATH KEY VALUE     what a refresh does, and then a get
 */
#include "instance.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* System calls before the first and after the last marker are not those of a save. */
#define MARKER "/store_driver-marker"

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

static void save(struct instance *i, const char *key, const char *value)
{
    mark();
    get(i, "before", key);
    say("lock", i->ops->lock(i->self, &i->err), "");
    say("can_save", i->ops->can_save(i->self, &i->err), "");
    aq_status status = instance_put(i, key, value);
    say("commit", status, status == AQ_OK ? "" : i->err.text);
    i->ops->unlock(i->self);
    mark();
    get(i, "after", key);
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
    } else if (strcmp(argv[1], "save") == 0 && argc == 5) {
        save(&i, argv[3], argv[4]);
    } else {
        return 2;
    }
    instance_close(&i);
    return 0;
}
