/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines on stderr: "NAME: object: what is wrong, what to do". Each is cleaned of what a terminal
 * could obey and written with one call. NAME is program_name(). Never given a secret.
 */
#ifndef Q_REPORT_H
#define Q_REPORT_H

/* "NAME: ..." */
void report_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "NAME: KIND: ...", with kind such as "warning". */
void report_note(const char *kind, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
