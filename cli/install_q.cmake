# SPDX-License-Identifier: Apache-2.0
# Run by `cmake --install`: gives the command its second name `q`, unless that belongs to somebody
# else. Reads AQ_BINDIR (without DESTDIR) and AQ_LINK, the link in the build tree.

cmake_policy(PUSH)
cmake_policy(VERSION 3.22)

get_filename_component(bindir "${AQ_BINDIR}" ABSOLUTE)
set(q "$ENV{DESTDIR}${bindir}/q")
set(foreign OFF)
if(IS_SYMLINK "${q}")
    file(READ_SYMLINK "${q}" target)
    get_filename_component(target "${target}" ABSOLUTE BASE_DIR "${bindir}")
    if(NOT target STREQUAL "${bindir}/amazonq")
        set(foreign ON)
    endif()
elseif(EXISTS "${q}")
    set(foreign ON)
endif()

if(foreign)
    message(WARNING "kept ${q}, it is another program's; run this one as amazonq")
else()
    file(INSTALL DESTINATION "${bindir}" TYPE FILE FILES "${AQ_LINK}")
endif()

cmake_policy(POP)
