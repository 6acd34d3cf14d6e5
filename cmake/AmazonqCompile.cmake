# SPDX-License-Identifier: Apache-2.0
# Compiler and linker options for everything built here, as one INTERFACE target.

add_library(amazonq_options INTERFACE)
add_library(amazonq::options ALIAS amazonq_options)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

target_compile_definitions(amazonq_options INTERFACE _GNU_SOURCE)
target_compile_options(
    amazonq_options
    INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wvla
              -Wmissing-prototypes -Wundef -Wformat=2 $<$<BOOL:${AQ_WERROR}>:-Werror>
              -fstack-protector-strong)
target_link_options(amazonq_options INTERFACE -Wl,-z,relro -Wl,-z,now)

if(AQ_SANITIZE)
    target_compile_options(
        amazonq_options INTERFACE -fsanitize=${AQ_SANITIZE} -fno-sanitize-recover=all
                                  -fno-omit-frame-pointer)
    target_link_options(amazonq_options INTERFACE -fsanitize=${AQ_SANITIZE})
else()
    target_compile_options(amazonq_options
                           INTERFACE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
endif()

if(AQ_COVERAGE)
    target_compile_options(amazonq_options INTERFACE --coverage)
    target_link_options(amazonq_options INTERFACE --coverage)
endif()
