/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker's lines on stderr: who was given what, and what went wrong; never a secret. Nobody
 * waits for a reader who does not read: lines are dropped then, and counted.
 */
#ifndef Q_JOURNAL_H
#define Q_JOURNAL_H

/* "NAME: broker: TIME ..." with the time as RFC 3339, UTC. */
void journal(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
