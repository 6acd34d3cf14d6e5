// SPDX-License-Identifier: Apache-2.0
// A store in C++, with a standard library inside and plain C at its border: no exception leaves it.
#include <amazonq/plugin.h>

#include <map>
#include <new>
#include <string>

namespace {

struct Store {
    const aq_host *host;
    std::map<std::string, std::string> values;
};

aq_status store_open(const aq_open_args *args, void **ret_self, aq_error *err)
{
    try {
        *ret_self = new Store{ args->host,
                               { { "codewhisperer:odic:token",
                                   "{\"access_token\":\"aoaFROMCXX\","
                                   "\"expires_at\":\"2099-01-01T00:00:00Z\"}" } } };
        return AQ_OK;
    } catch (const std::bad_alloc &) {
        *err = aq_error{ AQ_E_NOMEM, 0, 0, 0, "store cxx: out of memory" };
        return AQ_E_NOMEM;
    }
}

void store_close(void *self)
{
    delete static_cast<Store *>(self);
}

aq_status store_get(void *self, aq_str key, void *sink, aq_error *)
{
    const Store *store = static_cast<Store *>(self);
    for (const auto &entry : store->values) {
        if (entry.first.compare(0, std::string::npos, key.ptr, key.len) == 0) {
            aq_bytes value = { reinterpret_cast<const uint8_t *>(entry.second.data()),
                               entry.second.size() };
            return store->host->put(store->host->ctx, sink, key, value);
        }
    }
    return AQ_E_NOTFOUND;
}

aq_status store_list(void *self, void *sink, aq_error *)
{
    const Store *store = static_cast<Store *>(self);
    for (const auto &entry : store->values) {
        aq_str key = { entry.first.data(), entry.first.size() };
        if (aq_status status = store->host->put(store->host->ctx, sink, key, aq_bytes{})) {
            return status;
        }
    }
    return AQ_OK;
}

aq_status store_commit(void *, const aq_change *, uint32_t, uint32_t, aq_error *err)
{
    *err = aq_error{ AQ_E_READONLY, 0, 0, 0, "store cxx: is part of a test, leave it" };
    return AQ_E_READONLY;
}

const aq_store_ops ops = {
    AQ_STORE_OPS,       .traits = AQ_STORE_SHARED, .open = store_open,     .close = store_close,
    .get = store_get,   .list = store_list,        .commit = store_commit,
};

const aq_plugin plugin = {
    AQ_PLUGIN_INFO,   .kind = AQ_PLUGIN_STORE,       .flags = 0,      .name = "cxx",
    .version = "1.0", .summary = "written in C++", .store = &ops,
};

} // namespace

AQ_PLUGIN(plugin)
