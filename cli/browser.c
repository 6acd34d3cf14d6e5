/* SPDX-License-Identifier: Apache-2.0 */
#include "browser.h"
#include "text.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 16, PATH_LEN_MAX = 4096, COMMAND_MAX = 1024 };

/* ---- is there one? ---- */

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

/* The kernel of the Windows subsystem: a browser there does not reach our 127.0.0.1. */
static bool is_wsl(void)
{
    char release[256] = "";
    int fd = open("/proc/sys/kernel/osrelease", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read(fd, release, sizeof(release) - 1);
        close(fd);
        release[n > 0 ? n : 0] = '\0';
    }
    return strstr(release, "icrosoft") || strstr(release, "WSL");
}

static bool is_remote(void)
{
    static const char *const signs[] = { "SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "CODESPACES",
                                         "Q_CODESPACES" };
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (is_set(signs[i])) {
            return true;
        }
    }
    return getenv("Q_FAKE_IS_REMOTE") || is_wsl();
}

static bool is_container(void)
{
    return is_set("container") || access("/.dockerenv", F_OK) == 0 ||
           access("/run/.containerenv", F_OK) == 0;
}

/* Find a program as a shell would; false if there is none. */
static bool find_program(const char *name, char ret[PATH_LEN_MAX])
{
    const char *dir = getenv("PATH");
    if (strchr(name, '/')) {
        return snprintf(ret, PATH_LEN_MAX, "%s", name) < PATH_LEN_MAX && access(ret, X_OK) == 0;
    }
    dir = dir ? dir : "/usr/bin:/bin";
    while (dir) {
        int len = (int)strcspn(dir, ":");
        if (*dir == '/' && snprintf(ret, PATH_LEN_MAX, "%.*s/%s", len, dir, name) < PATH_LEN_MAX &&
            access(ret, X_OK) == 0) {
            return true;
        }
        dir = dir[len] ? dir + len + 1 : NULL;
    }
    return false;
}

/* ---- how to open a page ---- */

/* A command line, taken apart; a word is the URL where arg is NULL. */
struct opener {
    char path[PATH_LEN_MAX];
    char text[COMMAND_MAX];
    char *words[WORDS_MAX + 1]; /* NULL stands for the URL */
    size_t count;
};

/* Split one command of $BROWSER. False if it is too long, or there is no such program. */
static bool opener_parse(struct opener *o, const char *command, size_t len)
{
    bool has_url = false;
    char *rest = NULL;
    if (len >= sizeof(o->text)) {
        return false;
    }
    memcpy(o->text, command, len);
    o->text[len] = '\0';
    o->count = 0;
    for (char *word = strtok_r(o->text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (o->count == WORDS_MAX) {
            return false;
        }
        bool is_url = strcmp(word, "%s") == 0;
        has_url = has_url || is_url;
        o->words[o->count++] = is_url ? NULL : word;
    }
    if (o->count == 0 || !o->words[0]) {
        return false;
    }
    if (!has_url) {
        o->words[o->count++] = NULL;
    }
    return find_program(o->words[0], o->path);
}

static bool opener_find(struct opener *o)
{
    const char *commands = getenv("BROWSER");
    while (commands && *commands) {
        size_t len = strcspn(commands, ":");
        if (opener_parse(o, commands, len)) {
            return true;
        }
        commands += len + (commands[len] == ':');
    }
    bool display = is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    return display && !is_container() && opener_parse(o, "xdg-open", strlen("xdg-open"));
}

bool browser_is_here(void)
{
    struct opener o;
    return !is_remote() && opener_find(&o);
}

/* In the child: nothing of ours but the environment goes along. */
static _Noreturn void opener_run(struct opener *o, char *url)
{
    char *words[WORDS_MAX + 2] = { NULL };
    for (size_t i = 0; i < o->count; i++) {
        words[i] = o->words[i] ? o->words[i] : url;
    }
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    signal(SIGPIPE, SIG_DFL);
    setsid();
    if (fork() == 0) { /* the one between ends at once, so nobody is waited for */
        execv(o->path, words);
        _exit(127);
    }
    _exit(0);
}

void browser_open(struct aq_str url)
{
    struct opener o;
    AUTO(text) struct text copy = { 0 };
    text_add(&copy, url);
    text_add_char(&copy, '\0');
    if (!text_ok(&copy) || !opener_find(&o)) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        opener_run(&o, copy.ptr);
    }
    if (pid > 0) {
        waitpid(pid, NULL, 0);
    }
}
