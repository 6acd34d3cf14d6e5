# SPDX-License-Identifier: Apache-2.0
# Run by `cmake --install`: the broker's units for systemd, which name the command by its absolute
# path. Reads AQ_BINDIR (without DESTDIR), AQ_UNITS (the templates) and AQ_UNITS_BUILD.

cmake_policy(PUSH)
cmake_policy(VERSION 3.22)

get_filename_component(AQ_BINDIR "${AQ_BINDIR}" ABSOLUTE)
configure_file("${AQ_UNITS}/amazonq-broker.service.in" "${AQ_UNITS_BUILD}/amazonq-broker.service"
               @ONLY)
get_filename_component(prefix "${CMAKE_INSTALL_PREFIX}" ABSOLUTE)
file(INSTALL DESTINATION "${prefix}/lib/systemd/user" TYPE FILE
     FILES "${AQ_UNITS}/amazonq-broker.socket" "${AQ_UNITS_BUILD}/amazonq-broker.service")

cmake_policy(POP)
