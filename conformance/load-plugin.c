/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load-plugin FILE: load it with nothing but libc around, as a host that links none of the
 * libraries of check-plugin would. Exit code 0, or 1 with the reason on standard output.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: load-plugin FILE\n", stderr);
        return 2;
    }
    const int is_loaded = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) != NULL;
    if (!is_loaded) {
        puts(dlerror());
        fflush(stdout);
    }
    _exit(is_loaded ? 0 : 1); /* the plugin's destructors are tried elsewhere */
}
