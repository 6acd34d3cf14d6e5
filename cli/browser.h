/* SPDX-License-Identifier: Apache-2.0 */
/* The browser of whoever sits at this machine, if somebody does. */
#ifndef Q_BROWSER_H
#define Q_BROWSER_H

#include <amazonq/amazonq.h>
#include <stdbool.h>

/*
 * True if a page that is opened here can be seen, and can come back to 127.0.0.1: $BROWSER says
 * how to open one, or there is a display and xdg-open. Not over SSH, in WSL or a codespace, nor,
 * without $BROWSER, in a container.
 */
bool browser_is_here(void);

/*
 * Open a page, in a process of its own that is not waited for. Whether it worked nobody knows: the
 * URL is also shown. No shell is involved. $BROWSER is a list, separated by ':', of which the first
 * program that exists is taken; words are separated by blanks, %s stands for the URL.
 */
void browser_open(struct aq_str url);

#endif
