/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times whole processes against each other:
 *
 *     process_time ROUNDS LABEL COMMAND [ARGUMENT]... [-- LABEL COMMAND [ARGUMENT]...]...
 *
 * Each round runs every command once, in turn, so that whatever else the machine does hits all of
 * them. The first is the base: the ratio is the median of the ratios of each round. Standard output
 * goes to /dev/null. A command that fails ends the run.
 */
#include "quantile.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS_MAX = 8, WARM_UP_ROUNDS = 5, ROUNDS_MAX = 100000 };

struct sample {
    double wall_ms, cpu_ms;
    long rss_kib;
};

struct command {
    const char *label;
    char **argv;
    struct sample *samples;
};

static double ms_of_timespec(struct timespec t)
{
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double ms_of_timeval(struct timeval t)
{
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static struct sample run(const struct command *command)
{
    posix_spawn_file_actions_t actions;
    struct timespec before, after;
    struct rusage usage;
    pid_t pid;
    int state;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    clock_gettime(CLOCK_MONOTONIC, &before);
    int failed = posix_spawnp(&pid, command->argv[0], &actions, NULL, command->argv, environ);
    if (failed) {
        fprintf(stderr, "process_time: %s: %s\n", command->argv[0], strerror(failed));
        exit(1);
    }
    while (wait4(pid, &state, 0, &usage) < 0) {
        if (errno != EINTR) {
            perror("process_time: wait4");
            exit(1);
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &after);
    posix_spawn_file_actions_destroy(&actions);
    if (state != 0) {
        fprintf(stderr, "process_time: %s: failed, run it by itself to see why\n", command->label);
        exit(1);
    }
    return (struct sample){ ms_of_timespec(after) - ms_of_timespec(before),
                            ms_of_timeval(usage.ru_utime) + ms_of_timeval(usage.ru_stime),
                            usage.ru_maxrss };
}

/* Splits what follows ROUNDS at "--", which is overwritten. */
static size_t read_commands(char **argv, struct command *commands, size_t rounds)
{
    size_t count = 0;

    while (*argv && argv[1] && count < COMMANDS_MAX) {
        commands[count].label = argv[0];
        commands[count].argv = ++argv;
        commands[count].samples = calloc(rounds, sizeof(struct sample));
        if (!commands[count].samples) {
            perror("process_time");
            exit(1);
        }
        count++;
        while (*argv && strcmp(*argv, "--") != 0) {
            argv++;
        }
        if (*argv) {
            *argv++ = NULL;
        }
    }
    return count;
}

static void print_table(const struct command *commands, size_t count, size_t rounds)
{
    double *column = calloc(rounds, sizeof(double));

    if (!column) {
        perror("process_time");
        exit(1);
    }
    printf("%-28s %9s %9s %9s %9s %9s %9s\n", "command", "wall ms", "p10", "p90", "cpu ms",
           "rss KiB", "ratio");
    for (size_t i = 0; i < count; i++) {
        const struct sample *samples = commands[i].samples;
        double wall, p10, p90, cpu;
        for (size_t r = 0; r < rounds; r++) {
            column[r] = samples[r].wall_ms;
        }
        wall = quantile(column, rounds, 0.5);
        p10 = quantile(column, rounds, 0.1);
        p90 = quantile(column, rounds, 0.9);
        for (size_t r = 0; r < rounds; r++) {
            column[r] = samples[r].cpu_ms;
        }
        cpu = quantile(column, rounds, 0.5);
        for (size_t r = 0; r < rounds; r++) {
            column[r] = samples[r].wall_ms / commands[0].samples[r].wall_ms;
        }
        printf("%-28s %9.3f %9.3f %9.3f %9.3f %9ld %9.3f\n", commands[i].label, wall, p10, p90, cpu,
               samples[rounds - 1].rss_kib, quantile(column, rounds, 0.5));
    }
    free(column);
}

int main(int argc, char **argv)
{
    struct command commands[COMMANDS_MAX];
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

    if (argc < 4 || rounds < 1 || rounds > ROUNDS_MAX) {
        fputs("usage: process_time ROUNDS LABEL COMMAND... [-- LABEL COMMAND...]...\n", stderr);
        return 2;
    }
    size_t count = read_commands(argv + 2, commands, (size_t)rounds);
    for (long r = -WARM_UP_ROUNDS; r < rounds; r++) {
        for (size_t i = 0; i < count; i++) {
            struct sample sample = run(&commands[i]);
            if (r >= 0) {
                commands[i].samples[r] = sample;
            }
        }
    }
    print_table(commands, count, (size_t)rounds);
    for (size_t i = 0; i < count; i++) {
        free(commands[i].samples);
    }
    return 0;
}
