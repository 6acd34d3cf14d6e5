/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_AMAZONQ_H
#define AMAZONQ_AMAZONQ_H

/*
 * libamazonq: keeps a login for Amazon Q alive, hands out valid access tokens, streams answers.
 *
 * Include this header in applications. Authors of plugins include amazonq/plugin.h instead.
 *
 *     view.h status.h   borrowed memory, results and errors
 *     client.h          clients, settings, operations and how to wait for them
 *     token.h           the operation that yields a valid token
 *     login.h           the operations that make a login, and choose its profile
 *     logout.h          the operation that removes a login from its store
 *     migrate.h         the operation that moves a login to another store
 *     check.h           the operation that looks for what is wrong
 *     sources.h         which logins there are, and which of them is used
 *     settings.h        what is in settings.json, and how to change it
 *     access_key.h      AWS access keys in place of a login
 *     catalog.h         which plugins there are, and what they say of themselves
 *     stream.h          the operations that stream an answer
 *     exchange.h        the chat protocol alone, without I/O, for programs with their own HTTP
 *     http.h            one HTTP request over the client's transport
 */

#include <amazonq/access_key.h>
#include <amazonq/catalog.h>
#include <amazonq/check.h>
#include <amazonq/client.h>
#include <amazonq/exchange.h>
#include <amazonq/http.h>
#include <amazonq/login.h>
#include <amazonq/logout.h>
#include <amazonq/migrate.h>
#include <amazonq/settings.h>
#include <amazonq/sources.h>
#include <amazonq/status.h>
#include <amazonq/stream.h>
#include <amazonq/token.h>
#include <amazonq/version.h>
#include <amazonq/view.h>

#endif
