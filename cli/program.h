/* SPDX-License-Identifier: Apache-2.0 */
/* What the program is called: two names are installed, messages use the one the user typed. */
#ifndef Q_PROGRAM_H
#define Q_PROGRAM_H

/* "amazonq" if the program was started by that name, else "q". */
const char *program_name(void);

#endif
