# SPDX-License-Identifier: Apache-2.0
# amazonq::json-c, for what the broker's callers ask. The static library is preferred: it costs no
# time at start-up.

find_path(JSON_C_INCLUDE_DIR json-c/json.h REQUIRED)
find_library(JSON_C_LIBRARY NAMES libjson-c.a json-c REQUIRED)
mark_as_advanced(JSON_C_INCLUDE_DIR JSON_C_LIBRARY)

add_library(amazonq_json_c UNKNOWN IMPORTED)
add_library(amazonq::json-c ALIAS amazonq_json_c)
set_target_properties(amazonq_json_c PROPERTIES IMPORTED_LOCATION "${JSON_C_LIBRARY}"
                                                INTERFACE_INCLUDE_DIRECTORIES "${JSON_C_INCLUDE_DIR}")
