/* SPDX-License-Identifier: Apache-2.0 */
/* Values that an instance remembers, one at a time. */
#include "wrong.h"

#include <string.h>

void memory_forget(struct store *s)
{
    s->memory.len = 0;
}

void memory_keep(struct store *s, struct aq_str key, struct aq_bytes value)
{
    struct memory *m = &s->memory;
    if (key.len > sizeof(m->key) || value.len > sizeof(m->value) || !value.len ||
        stat(s->path.ptr, &m->file) != 0) {
        return;
    }
    memcpy(m->key, key.ptr, key.len);
    m->len = key.len;
    m->bytes = value;
    if (!does(s, "keeps-pointers")) {
        m->bytes.ptr = memcpy(m->value, value.ptr, value.len);
    }
}

/* The file that it was in is still that of today. */
static int is_current(const struct store *s)
{
    struct stat now;
    return stat(s->path.ptr, &now) == 0 && now.st_ino == s->memory.file.st_ino &&
           now.st_mtim.tv_sec == s->memory.file.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == s->memory.file.st_mtim.tv_nsec;
}

const struct aq_bytes *memory_of(const struct store *s, struct aq_str key)
{
    const struct memory *m = &s->memory;
    const int is_it = m->len && m->len == key.len && memcmp(m->key, key.ptr, key.len) == 0;
    return is_it && (does(s, "caches-values") || is_current(s)) ? &m->bytes : NULL;
}
