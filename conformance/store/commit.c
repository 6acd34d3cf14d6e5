/* SPDX-License-Identifier: Apache-2.0 */
/* commit: all changes or none, and only where everything was as expected. */
#include "store/instance.h"
#include "store/parts.h"

#include <stdio.h>
#include <string.h>

#define A KEY("a")
#define B KEY("b")
#define C KEY("c")
#define ONE VALUE("1")
#define TWO VALUE("2")
#define THREE VALUE("3")

enum { MORE = 40 }; /* bytes that a later version of struct aq_change could have */

static void require_status(struct instance *i, aq_status st, aq_status wanted, const char *what)
{
    if (st != wanted) {
        trial_fail(i->w.trial, "a commit %s returned %s, not %s", what, aq_status_name(st),
                   aq_status_name(wanted));
    }
}

static void require_value(struct instance *i, const char *key, const char *value, const char *after)
{
    if (!value) {
        instance_needs_absence(i, key);
    }
    if (!instance_has(i, key, value)) {
        trial_fail(i->w.trial, "%s '%s' was %s, not %s", after, key, instance_shown(i, key),
                   value ? value : "nothing");
    }
}

static void commit_saves(struct trial *t)
{
    struct instance i, later;
    instance_open(&i, t);
    instance_put(&i, A, ONE);
    require_value(&i, A, ONE, "after a commit had put it,");
    instance_put(&i, A, TWO);
    require_value(&i, A, TWO, "after a commit had replaced it,");
    instance_put(&i, B, THREE);
    instance_remove(&i, A);
    require_value(&i, A, NULL, "after a commit had removed it,");
    instance_close(&i);
    instance_open(&later, t);
    require_value(&later, B, THREE, "for an instance that was opened later");
    require_value(&later, A, NULL, "for an instance that was opened later");
    instance_close(&later);
}

/* One change that does not meet its expectation, at each place among three. */
static void commit_is_all_or_nothing(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    instance_put(&i, A, ONE);
    instance_put(&i, B, ONE);
    for (int failing = 0; failing < 3; failing++) {
        struct aq_change changes[] = { change_put(A, TWO), change_remove(B), change_put(C, THREE) };
        changes[failing] = change_expecting(changes[failing], THREE);
        aq_status st = instance_commit(&i, changes, 3);
        if (st == AQ_OK) {
            trial_break_off(t, "store.commit.compares",
                            "change %d of 3 expected a value that was not there, and commit "
                            "returned AQ_OK",
                            failing + 1);
        }
        const char *const after = "after a commit that wrote nothing because one of 3 expectations "
                                  "failed,";
        require_value(&i, A, ONE, after);
        require_value(&i, B, ONE, after);
        require_value(&i, C, NULL, after);
    }
    instance_close(&i);
}

static void commit_applies_all(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    instance_put(&i, A, ONE);
    instance_put(&i, B, ONE);
    const struct aq_change changes[] = {
        change_remove(A),
        change_expecting(change_put(B, TWO), ONE),
        change_expecting(change_put(C, THREE), NULL),
    };
    require_status(&i, instance_commit(&i, changes, 3), AQ_OK, "whose expectations were met");
    require_value(&i, A, NULL, "after one commit of three changes");
    require_value(&i, B, TWO, "after one commit of three changes");
    require_value(&i, C, THREE, "after one commit of three changes");
    instance_close(&i);
}

static void commit_compares(struct trial *t)
{
    static const struct {
        const char *expected;
        const char *what;
    } unmet[] = {
        { TWO, "that expected another value" },
        { VALUE("1"
                "1"),
          "that expected more bytes than there are" },
        { VALUE(""), "that expected fewer bytes than there are" },
        { NULL, "that expected no such key, which is there," },
        { "", "that expected an empty value" },
    };
    struct instance i;
    instance_open(&i, t);
    instance_put(&i, A, ONE);
    for (size_t n = 0; n < sizeof(unmet) / sizeof(unmet[0]); n++) {
        const struct aq_change change = change_expecting(change_put(A, TWO), unmet[n].expected);
        require_status(&i, instance_commit(&i, &change, 1), AQ_E_CHANGED, unmet[n].what);
        require_value(&i, A, ONE, "after a commit that had failed,");
    }
    const struct aq_change absent = change_expecting(change_put(B, TWO), ONE);
    require_status(&i, instance_commit(&i, &absent, 1), AQ_E_CHANGED,
                   "that expected a value where there is none");
    require_value(&i, B, NULL, "after a commit that had failed,");

    const struct aq_change met = change_expecting(change_put(A, TWO), ONE);
    require_status(&i, instance_commit(&i, &met, 1), AQ_OK, "that expected what was there");
    const struct aq_change met_absent = change_expecting(change_put(B, TWO), NULL);
    require_status(&i, instance_commit(&i, &met_absent, 1), AQ_OK, "that expected no such key");
    instance_close(&i);
}

static void commit_keeps(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    instance_put(&i, A, ONE);
    const struct aq_change met[] = { change_keep(A, ONE), change_keep(B, NULL),
                                     change_put(C, TWO) };
    require_status(&i, instance_commit(&i, met, 3), AQ_OK, "with KEEP, met,");
    require_value(&i, A, ONE, "after KEEP");
    require_value(&i, B, NULL, "after KEEP");
    require_value(&i, C, TWO, "beside KEEP");
    const struct aq_change unmet[] = { change_keep(A, TWO), change_put(C, THREE) };
    require_status(&i, instance_commit(&i, unmet, 2), AQ_E_CHANGED, "with KEEP, not met,");
    require_value(&i, C, TWO, "after a commit that had failed,");
    instance_close(&i);
}

static void commit_removes_what_is_not_there(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    instance_needs_writing(&i);
    const struct aq_change change = change_remove(A);
    require_status(&i, instance_commit(&i, &change, 1), AQ_OK,
                   "that removes a key that is not there");
    instance_close(&i);
}

/* An array of a later minor version: its elements are larger than ours. */
static void commit_honours_the_stride(struct trial *t)
{
    struct {
        struct aq_change change;
        uint8_t more[MORE];
    } changes[3];
    struct instance i;
    instance_open(&i, t);
    instance_put(&i, B, ONE);
    memset(changes, 0xa5, sizeof(changes));
    changes[0].change = change_put(A, ONE);
    changes[1].change = change_expecting(change_put(B, TWO), ONE);
    changes[2].change = change_put(C, THREE);
    require_status(&i, instance_commit_stride(&i, changes, 3, sizeof(changes[0])), AQ_OK,
                   "of elements that are longer than struct aq_change");
    require_value(&i, A, ONE, "after such a commit");
    require_value(&i, B, TWO, "after such a commit");
    require_value(&i, C, THREE, "after such a commit");
    instance_close(&i);
}

/* The bytes of a change, in memory that changes after the commit. */
struct borrowed {
    char key[32], value[32];
};

static struct aq_change borrow(struct borrowed *b, const char *key, const char *value)
{
    snprintf(b->key, sizeof(b->key), "%s", key);
    snprintf(b->value, sizeof(b->value), "%s", value);
    return (struct aq_change){
        .key = { b->key, strlen(b->key) },
        .action = AQ_CHANGE_PUT,
        .value = { (const uint8_t *)b->value, strlen(b->value) },
    };
}

static void commit_borrows(struct trial *t)
{
    static struct borrowed bytes[2];
    struct instance i;
    instance_open(&i, t);
    instance_needs_writing(&i);
    struct aq_change changes[] = { borrow(&bytes[0], A, ONE), borrow(&bytes[1], B, TWO) };
    require_status(&i, instance_commit(&i, changes, 2), AQ_OK, "of two values");
    if (!instance_has(&i, A, ONE) || !instance_has(&i, B, TWO)) {
        trial_break_off(t, "store.commit.saves", "after a commit of two values there was %s and %s",
                        instance_shown(&i, A), instance_shown(&i, B));
    }
    memset(bytes, 'x', sizeof(bytes));
    memset(changes, 0, sizeof(changes));
    const char *const after = "when the memory of the changes had been used for something else,";
    require_value(&i, A, ONE, after);
    require_value(&i, B, TWO, after);
    instance_close(&i);
}

static void read_only_is_read_only(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    if (instance_can_write(&i)) {
        trial_skip(t, "it can be written");
    }
    const struct aq_change change = change_put(A, ONE);
    require_status(&i, instance_commit(&i, &change, 1), AQ_E_READONLY, "to a read-only store");
    if (instance_get(&i, A) == AQ_OK) {
        trial_fail(t, "commit said AQ_E_READONLY, and the value was there");
    }
    if (i.ops->can_save && instance_can_save(&i) == AQ_OK) {
        trial_fail(t, "commit says AQ_E_READONLY and can_save says AQ_OK; a refresh token would be "
                      "spent for nothing");
    }
    instance_close(&i);
}

const struct clause store_commit_clauses[] = {
    { "store.commit.saves", "What a commit has put, get finds; what it has removed is gone.",
      commit_saves, 0, 0 },
    { "store.commit.all-or-nothing", "When one expectation of several fails, nothing is written.",
      commit_is_all_or_nothing, 0, 0 },
    { "store.commit.applies-all", "All changes of a commit are applied.", commit_applies_all, 0,
      0 },
    { "store.commit.compares", "AQ_E_CHANGED when, and only when, an expectation is not met.",
      commit_compares, 0, 0 },
    { "store.commit.keeps", "A change that keeps its key is compared, and changes nothing.",
      commit_keeps, 0, 0 },
    { "store.commit.remove-absent", "Removing a key that is not there is not an error.",
      commit_removes_what_is_not_there, 0, 0 },
    { "store.commit.stride", "Elements are found by the stride, not by their size.",
      commit_honours_the_stride, 0, 0 },
    { "store.commit.borrowed", "What a commit is given is borrowed for the call, no longer.",
      commit_borrows, 0, 0 },
    { "store.commit.read-only", "A store that cannot be written says so, in can_save as well.",
      read_only_is_read_only, 0, 0 },
    CLAUSES_END,
};
