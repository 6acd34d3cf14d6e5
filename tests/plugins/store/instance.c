/* SPDX-License-Identifier: Apache-2.0 */
#include "instance.h"

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

bool instance_says(const struct instance *i, const char *part)
{
    if (!strstr(i->err.text, part)) {
        fprintf(stderr, "'%s' is not in '%s'\n", part, i->err.text);
        return false;
    }
    return true;
}

struct aq_str str_of(const char *text)
{
    return (struct aq_str){ text, text ? strlen(text) : 0 };
}

struct aq_bytes bytes_of(const char *text)
{
    return (struct aq_bytes){ (const uint8_t *)text, text ? strlen(text) : 0 };
}

void instance_open(struct instance *i, const char *plugin, const struct plugin_setting *settings)
{
    memset(i, 0, sizeof(*i));
    plugin_host_load(&i->host, plugin, settings);
    assert_int_equal(i->host.plugin->kind, AQ_PLUGIN_STORE);
    i->ops = i->host.plugin->store;
    assert_int_equal(i->ops->open(&i->host.args, &i->self, &i->err), AQ_OK);
}

void instance_open_sqlite(struct instance *i, const char *path)
{
    const struct plugin_setting settings[] = { { "path", path },
                                               { "busy_timeout_ms", "50" },
                                               { NULL, NULL } };
    instance_open(i, "store-sqlite", settings);
}

/* The settings that are found in the environment, as the library would. */
void instance_open_here(struct instance *i, const char *plugin)
{
    const struct plugin_setting settings[] = {
        { "bus_address", getenv("DBUS_SESSION_BUS_ADDRESS") },
        { "runtime_dir", getenv("XDG_RUNTIME_DIR") },
        { NULL, NULL },
    };
    instance_open(i, plugin, settings);
}

void instance_close(struct instance *i)
{
    i->ops->close(i->self);
    plugin_host_done(&i->host);
}

/* A failure has to say so: status in the error, and one line of text. That nothing is there is
 * none.
 */
static aq_status checked(struct instance *i, aq_status status)
{
    if (status < 0 && status != AQ_E_NOTFOUND) {
        assert_int_equal(i->err.status, status);
        assert_true(i->err.text[0] != '\0');
        assert_null(strchr(i->err.text, '\n'));
    }
    return status;
}

/* What get or grant has handed over, and has to. */
static aq_status take_value(struct instance *i, const char *key, struct plugin_entry *found,
                            aq_status status)
{
    i->value[0] = '\0';
    if (status == AQ_OK) {
        assert_non_null(found);
        assert_null(found->next);
        assert_string_equal(found->key, key);
        snprintf(i->value, sizeof(i->value), "%.*s", (int)found->value_len, (char *)found->value);
    } else {
        assert_null(found);
    }
    plugin_entries_free(found);
    return checked(i, status);
}

aq_status instance_get(struct instance *i, const char *key)
{
    struct plugin_entry *found = NULL;
    aq_status status = i->ops->get(i->self, str_of(key), &found, &i->err);
    return take_value(i, key, found, status);
}

#ifdef AQ_WISH_FORCE /* since minor 1; tests/abi compiles this with older headers, too */
aq_status instance_grant(struct instance *i, const char *key, uint32_t flags, int64_t min_valid_s)
{
    const struct aq_token_wish wish = { sizeof(wish), flags, min_valid_s };
    struct plugin_entry *found = NULL;
    aq_status status = i->ops->grant(i->self, str_of(key), &wish, &found, &i->err);
    return take_value(i, key, found, status);
}
#endif

aq_status instance_list(struct instance *i)
{
    struct plugin_entry *found = NULL;
    aq_status status = i->ops->list(i->self, &found, &i->err);
    i->keys[0] = '\0';
    i->key_count = 0;
    for (const struct plugin_entry *e = found; e; e = e->next) {
        size_t len = strlen(i->keys);
        assert_int_equal(e->value_len, 0);
        snprintf(i->keys + len, sizeof(i->keys) - len, "%s ", e->key);
        i->key_count++;
    }
    plugin_entries_free(found);
    return checked(i, status);
}

aq_status instance_commit(struct instance *i, const struct aq_change *changes, uint32_t count)
{
    return checked(i, i->ops->commit(i->self, changes, count, sizeof(*changes), &i->err));
}

aq_status instance_put(struct instance *i, const char *key, const char *value)
{
    struct aq_change change = { .key = str_of(key),
                                .action = AQ_CHANGE_PUT,
                                .value = bytes_of(value) };
    return instance_commit(i, &change, 1);
}

aq_status instance_remove(struct instance *i, const char *key)
{
    struct aq_change change = { .key = str_of(key), .action = AQ_CHANGE_REMOVE };
    return instance_commit(i, &change, 1);
}

aq_status instance_swap(struct instance *i, const char *key, const char *expected,
                        const char *value)
{
    struct aq_change change = { .key = str_of(key),
                                .expect = expected ? AQ_EXPECT_VALUE : AQ_EXPECT_ABSENT,
                                .action = AQ_CHANGE_PUT,
                                .expected = bytes_of(expected),
                                .value = bytes_of(value) };
    return instance_commit(i, &change, 1);
}

char *dir_make(void)
{
    const char *top = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof(path), "%s/aq-store-XXXXXX", top && *top ? top : "/tmp");
    assert_non_null(mkdtemp(path));
    return strdup(path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void dir_remove(char *dir)
{
    assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(dir);
}

const char *dir_names(const char *dir)
{
    static char names[1024];
    struct dirent **entries;
    int count = scandir(dir, &entries, NULL, alphasort);
    assert_true(count >= 0);
    names[0] = '\0';
    for (int n = 0; n < count; n++) {
        const char *name = entries[n]->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            size_t len = strlen(names);
            snprintf(names + len, sizeof(names) - len, "%s ", name);
        }
        free(entries[n]);
    }
    free(entries);
    return names;
}
