/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fork.h"

#include <pthread.h>

static uint32_t generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void in_child(void)
{
    generation++;
}

static void watch(void)
{
    pthread_atfork(NULL, NULL, in_child);
}

uint32_t fork_generation(void)
{
    pthread_once(&once, watch);
    return generation; /* written only while a child has a single thread */
}
