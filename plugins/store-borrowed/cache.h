/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of single sign-on sessions that the AWS command line, its SDKs and Kiro's IDE share:
 * ~/.aws/sso/cache. Tokens of a session are in a file that is called after its name, hashed.
 */
#ifndef BORROWED_CACHE_H
#define BORROWED_CACHE_H

#include "intake.h"

/* Read the file of this name in the directory `dir`. AQ_E_NOTFOUND without a text: there is none.
 * Programs write these files in place: one that ends in the middle is looked at again, for 0.5 s.
 */
aq_status cache_read(const char *dir, const char *name, struct intake *ret, struct aq_error *err);

/*
 * Read the token of a session.
 *
 * session  its name, or for older configurations its start URL; empty: the only one that has a
 *          token there, for which all files together are looked at again for 0.5 s, if none has one
 *
 * As cache_read; AQ_E_INVALID: none was named and there are several.
 */
aq_status cache_read_session(const char *dir, struct aq_str session, struct intake *ret,
                             struct aq_error *err);

#endif
