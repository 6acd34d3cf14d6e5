/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at a shared object before the dynamic linker maps it: a truncated file would end the
 * process with SIGBUS, one for another machine is reported as "no such file", and once it is
 * mapped its code runs. Nothing in the file is believed.
 */
#ifndef AQ_HOST_ELF_H
#define AQ_HOST_ELF_H

#include "base/buf.h"

#include <amazonq/status.h>

/* What the linker would go on with, as the file says it. */
struct elf {
    struct buf needed; /* names of libraries that come along, each with a NUL behind it */
    struct buf search; /* where they are looked for first: directories, each with a ':' behind it */
    struct buf names;  /* the string table; every symbol has its name there */
};

/*
 * Read the shared object at this path.
 *
 * object  what the error text begins with
 * Returns AQ_OK; AQ_E_PLUGIN if the file is no whole shared object for this machine; AQ_E_NOMEM.
 * *ret must be zeroed; elf_done gives its memory back either way.
 */
aq_status elf_read(const char *object, const char *path, struct elf *ret, struct aq_error *err);
void elf_done(struct elf *e);

#endif
