# SPDX-License-Identifier: Apache-2.0
# amazonq::deflate: libdeflate, for its CRC-32 (docs/adr/0005-crc32-libdeflate.md). The static library
# is preferred: it is hidden inside ours and costs no time at start-up.

find_path(LIBDEFLATE_INCLUDE_DIR libdeflate.h REQUIRED)
find_library(LIBDEFLATE_LIBRARY NAMES libdeflate.a deflate REQUIRED)
mark_as_advanced(LIBDEFLATE_INCLUDE_DIR LIBDEFLATE_LIBRARY)

add_library(amazonq_deflate UNKNOWN IMPORTED)
add_library(amazonq::deflate ALIAS amazonq_deflate)
set_target_properties(amazonq_deflate PROPERTIES IMPORTED_LOCATION "${LIBDEFLATE_LIBRARY}"
                                                 INTERFACE_INCLUDE_DIRECTORIES "${LIBDEFLATE_INCLUDE_DIR}")
