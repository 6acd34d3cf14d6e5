/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGINT, SIGTERM and SIGHUP ask the command to stop; they do not kill it, so that a refresh
 * that was sent is saved. SIGPIPE is ignored: a closed pipe is an ordinary error of write.
 */
#ifndef Q_INTERRUPT_H
#define Q_INTERRUPT_H

#include <stdbool.h>

bool interrupt_init(void);

/* The signal that came first, or 0. */
int interrupt_signal(void);

/* Readable once a signal has come, for programs with a loop of their own. */
int interrupt_fd(void);

/*
 * Wait until fd has events (POLLIN or POLLOUT), or a signal has come; interrupt_signal tells.
 * False when poll itself failed.
 */
bool interrupt_wait(int fd, short events);

/* The same for at most so many milliseconds. False also then: errno is ETIMEDOUT. */
bool interrupt_wait_ms(int fd, short events, int ms);

#endif
