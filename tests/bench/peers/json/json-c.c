/* SPDX-License-Identifier: Apache-2.0 */
/* peer_text() of tests/bench/decode.c, with json-c. */
#include <json-c/json.h>

long peer_text(const char *object, size_t len, const char *member);

long peer_text(const char *object, size_t len, const char *member)
{
    static struct json_tokener *tokener;
    struct json_object *text;
    long found = 0;

    if (!tokener) {
        tokener = json_tokener_new();
    }
    json_tokener_reset(tokener);
    struct json_object *root = json_tokener_parse_ex(tokener, object, (int)len);
    if (!root) {
        return -1;
    }
    if (json_object_object_get_ex(root, member, &text)) {
        found = json_object_get_string_len(text);
    }
    json_object_put(root);
    return found;
}
