/* SPDX-License-Identifier: Apache-2.0 */
/* What holds in every call of every instance: client.c watches over it. */
#include "suite.h"

const struct clause transport_always_clauses[] = {
    { "transport.interest.prompt", "interest only says what is there, and returns at once.", NULL,
      0, 0 },
    { "transport.interest.same-descriptor",
      "interest gives one descriptor for the instance, the same until close.", NULL, 0, 0 },
    { "transport.interest.pollable",
      "There is something to wait for while a call waits, and any loop can wait for it.", NULL, 0,
      0 },
    { "transport.interest.deadline", "A deadline that has passed is met by a step, and then gone.",
      NULL, 0, 0 },
    { "transport.step.never-blocks", "step does what it can without blocking, and returns.", NULL,
      0, 0 },
    { "transport.start.never-blocks", "start sends nothing if that could block.", NULL, 0, 0 },
    { "transport.start.call", "start gives a call whenever it succeeds.", NULL, 0, 0 },
    { "transport.read.never-blocks", "response and read give what is there, and never wait.", NULL,
      0, 0 },
    { "transport.finish.never-blocks", "finish never blocks, whatever the call is doing.", NULL, 0,
      0 },
    { "transport.close.prompt", "close never blocks.", NULL, 0, 0 },
    { "transport.ready.inside-step", "Only step says ready.", NULL, 0, 0 },
    { "transport.ready.once",
      "ready is said once, and not again until the call was read down to AQ_AGAIN.", NULL, 0, 0 },
    { "transport.ready.cookie", "ready is said with the cookie that start was given.", NULL, 0, 0 },
    { "transport.ready.after-finish", "ready is not said for a call that was finished.", NULL, 0,
      0 },
    { "transport.response.status", "A response has a status of 200 to 599.", NULL, 0, 0 },
    { "transport.response.views", "Every text of a response's head can be read.", NULL, 0, 0 },
    { "transport.read.bounded",
      "read gives 1 to as many bytes as there is room for, and writes "
      "nowhere else.",
      NULL, 0, 0 },
    { "transport.read.end", "The end of a call is for ever: the same status, the same text.", NULL,
      0, 0 },
    CLAUSES_END,
};
