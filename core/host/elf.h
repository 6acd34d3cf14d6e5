/* SPDX-License-Identifier: Apache-2.0 */
/* A look at a shared object before the dynamic loader maps it: a truncated file would end the
 * process with SIGBUS, and one for another machine is reported as "no such file". */
#ifndef AQ_HOST_ELF_H
#define AQ_HOST_ELF_H

#include <amazonq/status.h>

/* AQ_OK if the file is a whole shared object for this machine; else AQ_E_PLUGIN, object: what is
 * wrong. */
aq_status elf_check(const char *object, const char *path, struct aq_error *err);

#endif
