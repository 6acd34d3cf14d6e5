/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"

#define HASHED_DIR "/etc/ssl/certs" /* where distributions keep certificates by hash */

/* Where else they keep them: all in one file. The TLS library that we are linked with may come from
 * another distribution, and would look where that one does. */
static const char *const BUNDLES[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch, Alpine */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora and its relatives */
    "/etc/ssl/ca-bundle.pem",             /* SUSE */
    "/etc/ssl/cert.pem",                  /* OpenBSD's name, used by others */
};

/* "1a2b3c4d.0": the name under which OpenSSL looks a certificate up. */
static bool is_hashed_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] >= '0' &&
           name[9] <= '9';
}

static bool has_hashed_names(const char *path)
{
    bool found = false;
    DIR *dir = opendir(path);
    if (!dir) {
        return false;
    }
    for (struct dirent *entry = readdir(dir); entry && !found; entry = readdir(dir)) {
        found = is_hashed_name(entry->d_name);
    }
    closedir(dir);
    return found;
}

/* Why a path of that type cannot be used with this kind of access, or 0. */
static int find_obstacle(const char *path, mode_t type, int access_mode)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return errno;
    }
    if (S_ISDIR(st.st_mode) != S_ISDIR(type)) {
        return S_ISDIR(type) ? ENOTDIR : EISDIR;
    }
    return faccessat(AT_FDCWD, path, access_mode, AT_EACCESS) == 0 ? 0 : errno;
}

/* OpenSSL takes a list, separated by colons: one directory of it is enough. */
static int find_obstacle_in_list(const char *list)
{
    int obstacle = ENOENT;
    while (*list && obstacle) {
        char dir[PATH_MAX];
        size_t len = strcspn(list, ":");
        if (len) {
            snprintf(dir, sizeof(dir), "%.*s", (int)len, list);
            obstacle = len < sizeof(dir) ? find_obstacle(dir, S_IFDIR, X_OK) : ENAMETOOLONG;
        }
        list += len + (list[len] == ':');
    }
    return obstacle;
}

static aq_status refuse(const char *kind, const char *key, const char *what, struct aq_error *err)
{
    char setting[128];
    snprintf(setting, sizeof(setting), "%s.%s", kind, key);
    return fault_set(err, AQ_E_INVALID, setting, what);
}

static aq_status refuse_path(const char *kind, const char *key, const char *path, int obstacle,
                             const char *sources, struct aq_error *err)
{
    char what[sizeof(err->text)];
    char cause[128];
    snprintf(what, sizeof(what), "%s cannot be read: %s, check %s", path,
             strerror_r(obstacle, cause, sizeof(cause)), sources);
    refuse(kind, key, what, err);
    err->sys = obstacle;
    return AQ_E_INVALID;
}

/* True unless this is a regular file without a line that begins a certificate. */
static bool may_have_certificates(const char *path)
{
    char line[128];
    struct stat st;
    bool found = false;
    FILE *file = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "re") : NULL;
    if (!file) {
        return true; /* a pipe can be read once only */
    }
    while (!found && fgets(line, sizeof(line), file)) {
        found = strncmp(line, "-----BEGIN ", strlen("-----BEGIN ")) == 0 &&
                strstr(line, "CERTIFICATE-----");
    }
    fclose(file);
    return found;
}

/* The TLS library would say so at the first request only, and does not say which. */
static aq_status check(const struct trust *trust, const char *kind, struct aq_error *err)
{
    static const char bundle_sources[] = "AWS_CA_BUNDLE, SSL_CERT_FILE or --ca-bundle";
    int obstacle = trust->bundle ? find_obstacle(trust->bundle, S_IFREG, R_OK) : 0;
    if (obstacle) {
        return refuse_path(kind, "ca_bundle", trust->bundle, obstacle, bundle_sources, err);
    }
    if (trust->bundle && !may_have_certificates(trust->bundle)) {
        char what[sizeof(err->text)];
        snprintf(what, sizeof(what), "%.128s has no certificate in PEM form, check %s",
                 trust->bundle, bundle_sources);
        return refuse(kind, "ca_bundle", what, err);
    }
    obstacle = trust->dir ? find_obstacle_in_list(trust->dir) : 0;
    if (obstacle) {
        return refuse_path(kind, "ca_dir", trust->dir, obstacle, "SSL_CERT_DIR", err);
    }
    return AQ_OK;
}

/* The certificates of the machine. They are read from a directory one by one, as they are needed;
 * parsing a whole bundle costs more than the rest of a first request. */
static void find(struct trust *trust)
{
    if (has_hashed_names(HASHED_DIR)) {
        trust->dir = HASHED_DIR;
        return;
    }
    for (size_t i = 0; i < sizeof(BUNDLES) / sizeof(BUNDLES[0]); i++) {
        if (find_obstacle(BUNDLES[i], S_IFREG, R_OK) == 0) {
            trust->bundle = BUNDLES[i];
            return;
        }
    }
    trust->library_default = true;
}

aq_status trust_init(struct trust *trust, const char *kind, const char *bundle, const char *dir,
                     struct aq_error *err)
{
    *trust = (struct trust){ .bundle = bundle, .dir = dir };
    if (bundle || dir) {
        return check(trust, kind, err);
    }
    find(trust);
    return AQ_OK;
}

int trust_name(const char *bundle, const char *dir, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s%s%s", bundle ? bundle : "", bundle && dir ? " and " : "",
             dir ? dir : "");
    return (bundle != NULL) + (dir != NULL);
}
