/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/aws_config.h"

#include "base/str.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct aq_str trim(struct aq_str s)
{
    while (s.len && is_blank(s.ptr[0])) {
        s = str_from_offset(s, 1);
    }
    while (s.len && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

static struct aq_str without_comment(struct aq_str s)
{
    for (size_t i = 1; i < s.len; i++) {
        if ((s.ptr[i] == '#' || s.ptr[i] == ';') && is_blank(s.ptr[i - 1])) {
            s.len = i;
            break;
        }
    }
    return trim(s);
}

/* The name of the profile whose section begins here, and whether it is called one; the empty view
 * for other sections. */
static struct aq_str section_profile(struct aq_str line, bool is_config, bool *ret_called)
{
    static const struct aq_str word = AQ_STR_INIT("profile");
    struct aq_str name = str_from_offset(line, 1);
    name = trim(str_cut(&name, ']'));
    struct aq_str rest = str_from_offset(name, word.len);
    *ret_called = false;
    if (!is_config || str_eq(name, AQ_STR("default"))) {
        return name;
    }
    *ret_called = str_starts(name, word) && rest.len && is_blank(rest.ptr[0]);
    return *ret_called ? trim(rest) : AQ_STR("");
}

/* What is looked for in a file, and what was found. */
struct search {
    bool is_config;
    struct aq_str profile;
    struct aq_str key;
    bool inside; /* the section of this profile */
    bool called; /* [profile default] is there, beside which [default] does not count */
    bool found;  /* such a section */
    struct aq_str value;
};

static void look_at(struct search *s, struct aq_str line)
{
    if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';' || is_blank(line.ptr[0])) {
        return;
    }
    if (line.ptr[0] == '[') {
        bool called;
        struct aq_str name = section_profile(line, s->is_config, &called);
        s->inside = name.len > 0 && str_eq(name, s->profile) && (called || !s->called);
        s->found |= s->inside;
        if (s->inside && called && !s->called) {
            s->called = true;
            s->value = AQ_STR("");
        }
        return;
    }
    struct aq_str value = line;
    struct aq_str key = trim(str_cut(&value, '='));
    if (s->inside && value.ptr && str_eq_nocase(key, s->key)) {
        s->value = without_comment(trim(value));
    }
}

static void search(struct search *s, struct aq_str text)
{
    for (struct aq_str rest = text; rest.ptr && rest.len;) {
        look_at(s, str_cut(&rest, '\n'));
    }
}

struct aq_str aws_config_value(struct aq_str text, bool is_config, struct aq_str profile,
                               struct aq_str key)
{
    struct search s = { .is_config = is_config, .profile = profile, .key = key };
    search(&s, text);
    return s.value;
}

bool aws_config_has(struct aq_str text, bool is_config, struct aq_str profile)
{
    struct search s = { .is_config = is_config, .profile = profile };
    search(&s, text);
    return s.found;
}
