/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void host_log(void *ctx, int32_t level, struct aq_str line)
{
    (void)ctx;
    (void)level;
    assert_null(memchr(line.ptr, '\n', line.len));
}

static uint64_t host_now_us(void *ctx)
{
    const struct plugin_host *host = ctx;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u + host->clock_offset_us;
}

static aq_status host_put(void *ctx, void *sink, struct aq_str key, struct aq_bytes value)
{
    struct plugin_entry **list = sink;
    struct plugin_entry *entry = calloc(1, sizeof(*entry));
    (void)ctx;
    assert_non_null(entry);
    entry->key = strndup(key.ptr, key.len);
    entry->value = malloc(value.len + 1);
    assert_non_null(entry->key);
    assert_non_null(entry->value);
    if (value.len) {
        memcpy(entry->value, value.ptr, value.len);
    }
    entry->value[value.len] = '\0';
    entry->value_len = value.len;
    while (*list) {
        list = &(*list)->next;
    }
    *list = entry;
    return AQ_OK;
}

static void host_ready(void *ctx, void *cookie)
{
    const struct plugin_host *host = ctx;
    if (host->ready) {
        host->ready(cookie);
    }
}

static const char *find_override(const struct plugin_setting *settings, const char *key)
{
    for (; settings && settings->key; settings++) {
        if (strcmp(settings->key, key) == 0) {
            return settings->value;
        }
    }
    return NULL;
}

static void fill_values(struct plugin_host *host, const struct plugin_setting *settings)
{
    const struct aq_plugin *plugin = host->plugin;
    assert_true(plugin->setting_count <= PLUGIN_HOST_SETTINGS);
    for (uint32_t i = 0; i < plugin->setting_count; i++) {
        const struct aq_setting *setting =
            (const void *)((const char *)plugin->settings + (size_t)i * plugin->setting_stride);
        const char *text = find_override(settings, setting->key);
        text = text ? text : setting->default_value;
        if (text) {
            host->values[i].text = (struct aq_str){ text, strlen(text) };
            host->values[i].number = setting->type == AQ_SETTING_BOOLEAN ? strcmp(text, "true") == 0
                                                                         : strtoll(text, NULL, 10);
        }
    }
}

void plugin_host_load(struct plugin_host *host, const char *name,
                      const struct plugin_setting *settings)
{
    char path[512];
    aq_plugin_v1_fn entry;
    const char *other = getenv("AQ_TEST_PLUGIN_DIR");
    snprintf(path, sizeof(path), "%s/%s.so", other ? other : AQ_TEST_PLUGIN_DIR, name);
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!so) {
        fail_msg("%s", dlerror());
    }
    *(void **)&entry = dlsym(so, "aq_plugin_v1");
    assert_non_null(entry);
    dlclose(so); /* RTLD_NODELETE: stays */

    memset(host, 0, sizeof(*host));
    host->plugin = entry();
    host->table = (struct aq_host){
        .struct_size = sizeof(host->table),
        .abi_minor = AQ_PLUGIN_ABI_MINOR,
        .ctx = host,
        .log = host_log,
        .now_us = host_now_us,
        .put = host_put,
        .ready = host_ready,
    };
    fill_values(host, settings);
    host->args = (struct aq_open_args){
        .struct_size = sizeof(host->args),
        .value_count = host->plugin->setting_count,
        .value_stride = sizeof(host->values[0]),
        .values = host->values,
        .host = &host->table,
    };
}

void plugin_host_done(struct plugin_host *host)
{
    memset(host, 0, sizeof(*host));
}

void plugin_entries_free(struct plugin_entry *entries)
{
    while (entries) {
        struct plugin_entry *next = entries->next;
        free(entries->key);
        free(entries->value);
        free(entries);
        entries = next;
    }
}
