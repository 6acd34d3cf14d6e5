/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzzer over files and folders of inputs once, where there is no libFuzzer. */
#include "fuzz/fuzzer.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUT_MAX = 32 * 1024 * 1024 };

/* Run the file at path; 1 if it was run. Its memory ends where the input ends. */
static int run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size + !size);
    int ok = file && data && size <= INPUT_MAX && fread(data, 1, size, file) == size;
    if (ok) {
        LLVMFuzzerTestOneInput(data, size);
    }
    free(data);
    if (file) {
        fclose(file);
    }
    return ok;
}

/* Run all that is at path; returns the number of inputs. */
static int run(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        perror(path);
        return 0;
    }
    if (!S_ISDIR(st.st_mode)) {
        return run_file(path, (size_t)st.st_size);
    }
    DIR *dir = opendir(path);
    int count = 0;
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char name[4096];
        int len = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && len > 0 && (size_t)len < sizeof(name)) {
            count += run(name);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        count += run(argv[i]);
    }
    printf("%d inputs\n", count);
    return count == 0; /* a corpus that is not found must not look like success */
}
