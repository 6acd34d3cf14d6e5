// SPDX-License-Identifier: Apache-2.0
// peer_text() of tests/bench/decode.c, with simdjson on demand. It needs bytes to read behind the
// object, which no stream has: the object is copied.
#include <cstring>
#include <simdjson.h>
#include <string_view>
#include <vector>

extern "C" long peer_text(const char *object, size_t len, const char *member)
{
    static simdjson::ondemand::parser parser;
    static std::vector<char> padded;
    if (padded.size() < len + simdjson::SIMDJSON_PADDING) {
        padded.resize(2 * (len + simdjson::SIMDJSON_PADDING));
    }
    std::memcpy(padded.data(), object, len);

    simdjson::ondemand::document document;
    simdjson::ondemand::object root;
    std::string_view key, text;
    if (parser.iterate(padded.data(), len, padded.size()).get(document) ||
        document.get_object().get(root)) {
        return -1;
    }
    for (auto field : root) {
        if (field.unescaped_key().get(key)) {
            return -1;
        }
        if (key == member && field.value().get_string().get(text)) {
            return -1;
        }
    }
    return static_cast<long>(text.size());
}
