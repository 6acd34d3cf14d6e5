/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys and values a store has to take, and who can read them. */
#include "exact.h"
#include "store/instance.h"
#include "store/parts.h"
#include "tree.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct aq_change put_bytes(const char *key, struct aq_bytes value)
{
    struct aq_change change = change_put(key, NULL);
    change.value = (struct aq_bytes){ exact_copy(value.ptr, value.len), value.len };
    return change;
}

static void require_bytes(struct instance *i, const char *key, struct aq_bytes value,
                          const char *what)
{
    aq_status st = instance_get(i, key);
    if (st != AQ_OK || i->value.len != value.len ||
        (value.len && memcmp(i->value.ptr, value.ptr, value.len) != 0)) {
        trial_fail(i->w.trial, "%s came back as %s, %zu bytes of %zu", what, aq_status_name(st),
                   i->value.len, value.len);
    }
}

/* From nothing to the largest value that has to fit, which is then replaced by a short one. */
static void values_of_every_size_fit(struct trial *t)
{
    static const size_t sizes[] = {
        0, 1, 100, 4095, 4096, 4097, 9999, 65535, 65536, 300000, AQ_STORE_VALUE_MAX
    };
    static uint8_t bytes[AQ_STORE_VALUE_MAX];
    struct instance i;
    char what[64];
    instance_open(&i, t);
    instance_put(&i, KEY("a"), VALUE("1"));
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, TRIAL_SECRET, sizeof(TRIAL_SECRET) - 1);
    for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
        const struct aq_bytes value = { bytes, sizes[n] };
        const struct aq_change change = put_bytes(KEY("sized"), value);
        aq_status st = instance_commit(&i, &change, 1);
        if (st != AQ_OK) {
            trial_fail(t, "a commit of a value of %zu bytes returned %s (%s), all up to %u fit",
                       sizes[n], aq_status_name(st), i.w.err.text, AQ_STORE_VALUE_MAX);
        }
        snprintf(what, sizeof(what), "a value of %zu bytes", sizes[n]);
        require_bytes(&i, KEY("sized"), value, what);
    }
    instance_put(&i, KEY("sized"), VALUE("short"));
    if (!instance_has(&i, KEY("sized"), VALUE("short"))) {
        trial_fail(t, "a short value in the place of a long one came back as %s",
                   instance_shown(&i, KEY("sized")));
    }
    instance_close(&i);
}

/* Not JSON, not UTF-8, with a NUL: whoever cannot keep it refuses it. */
static void values_are_bytes(struct trial *t)
{
    static const struct {
        const char *what;
        struct aq_str value;
    } values[] = {
        { "a value of UTF-8", AQ_STR_INIT("\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac\"") },
        { "a value with control characters", AQ_STR_INIT("{\"a\":\t1,\r\n\"b\":2}\x01") },
        { "a value with a NUL", AQ_STR_INIT("before\0after") },
        { "a value that is not UTF-8", AQ_STR_INIT("\xff\xfe\x80 x") },
    };
    struct instance i;
    instance_open(&i, t);
    instance_put(&i, KEY("a"), VALUE("1"));
    for (size_t n = 0; n < sizeof(values) / sizeof(values[0]); n++) {
        instance_put(&i, KEY("bytes"), VALUE("before"));
        const struct aq_bytes value = { (const uint8_t *)values[n].value.ptr, values[n].value.len };
        const struct aq_change change = put_bytes(KEY("bytes"), value);
        aq_status st = instance_commit(&i, &change, 1);
        if (st == AQ_OK) {
            require_bytes(&i, KEY("bytes"), value, values[n].what);
        } else if (n == 0) {
            trial_fail(t, "%s was refused with %s (%s)", values[n].what, aq_status_name(st),
                       i.w.err.text);
        } else if (!instance_has(&i, KEY("bytes"), VALUE("before"))) {
            trial_fail(t, "%s was refused, and there was %s in its place", values[n].what,
                       instance_shown(&i, KEY("bytes")));
        } else {
            trial_note(t, "%s is refused with %s", values[n].what, aq_status_name(st));
        }
    }
    instance_close(&i);
}

static void keys_are_compared_exactly(struct trial *t)
{
    static const char *const keys[] = {
        KEY("codewhisperer:odic:token"),
        KEY("codewhisperer:odic:device-registration"),
        KEY("codewhisperer:odic:token2"),
        KEY("Codewhisperer:odic:token"),
        KEY("key with blanks"),
        KEY("100%_like"),
        KEY("100Xalike"),
        KEY("it's"),
        KEY("schl\xc3\xbcssel"),
        KEY("a-key-of-two-hundred-bytes-"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    };
    enum { KEYS = sizeof(keys) / sizeof(keys[0]) };
    struct instance i;
    char value[64];
    instance_open(&i, t);
    instance_put(&i, KEY("a"), VALUE("1"));
    for (unsigned n = 0; n < KEYS; n++) {
        snprintf(value, sizeof(value), VALUE("%u"), n);
        const struct aq_change change = change_expecting(change_put(keys[n], value), NULL);
        aq_status st = instance_commit(&i, &change, 1);
        if (st != AQ_OK) {
            trial_fail(t, "a commit that puts the key '%s' returned %s (%s)", keys[n],
                       aq_status_name(st), i.w.err.text);
        }
    }
    for (unsigned n = 0; n < KEYS; n++) {
        snprintf(value, sizeof(value), VALUE("%u"), n);
        if (!instance_has(&i, keys[n], value)) {
            trial_fail(t, "'%s' was %s, not %s; keys are compared byte for byte", keys[n],
                       instance_shown(&i, keys[n]), value);
        }
    }
    instance_close(&i);
}

/* Whatever the umask says. */
static void files_are_private(struct trial *t)
{
    static struct tree before, after;
    struct instance i;
    if (t->is_elsewhere) {
        trial_skip(t, "its place is not in the trial's own directory");
    }
    instance_needs_trait(t, AQ_STORE_PERSISTENT);
    tree_read(&before, t->dir, "..");
    umask(0);
    instance_open(&i, t);
    instance_put(&i, KEY("a"), VALUE("1"));
    tree_read(&after, t->dir, "..");
    for (size_t n = 0; n < after.count; n++) {
        const struct tree_file *f = &after.files[n];
        bool is_new = true;
        for (size_t k = 0; k < before.count; k++) {
            is_new = is_new && strcmp(before.files[k].name, f->name) != 0;
        }
        if (is_new && (f->mode & 077) && !S_ISLNK(f->mode)) {
            trial_fail(t,
                       "a commit made %s with mode %04o; what it makes is for its owner alone "
                       "(0600, directories 0700), whatever the umask is",
                       f->name, (unsigned)f->mode & 07777);
        }
    }
    instance_close(&i);
}

const struct clause store_value_clauses[] = {
    { "store.value.sizes", "Values of no bytes to 1 MiB fit.", values_of_every_size_fit, 0, 120 },
    { "store.value.bytes", "A value comes back byte for byte, or is refused.", values_are_bytes, 0,
      0 },
    { "store.value.keys", "Keys are UTF-8 and compared byte for byte.", keys_are_compared_exactly,
      0, 0 },
    { "store.value.private", "What a commit makes is private to its owner.", files_are_private, 0,
      0 },
    CLAUSES_END,
};
