/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libraries a plugin brings along. What the dynamic linker finds through the plugin's own
 * DT_RUNPATH becomes a part of the process as the plugin does, so it has to be trusted as the
 * plugin is (trust.h), and so do the libraries those bring along. That concerns every directory of
 * the path, and those below it for a kind of processor: glibc-hwcaps, and what glibc before 2.37
 * looks for. What the system's linker finds by itself is the system's.
 */
#ifndef AQ_HOST_LIBRARIES_H
#define AQ_HOST_LIBRARIES_H

#include "host/elf.h"

/*
 * Check where this shared object looks for libraries, and those that are there.
 *
 * object     what the error text begins with
 * real_path  of the file that `elf` was read from
 * Returns AQ_OK; AQ_E_DENIED naming the first thing that is wrong; or as elf_read.
 */
aq_status libraries_check(const char *object, const char *real_path, const struct elf *elf,
                          struct aq_error *err);

#endif
