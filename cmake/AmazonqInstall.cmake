# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` lays down besides the command (cli/) and the plugins (aq_add_plugin):
# the library, its headers, and what pkg-config and find_package(amazonq) need. The result may be
# moved to another prefix as a whole.

include(CMakePackageConfigHelpers)

set(AQ_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/amazonq")
set(AQ_PLUGIN_DIR "${CMAKE_INSTALL_LIBDIR}/${AQ_PLUGIN_SUBDIR}")
set(AQ_PKGCONFIG_DIR "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(
    TARGETS amazonq plugin-api
    EXPORT amazonqTargets
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
            COMPONENT runtime
            NAMELINK_COMPONENT development)
install(
    DIRECTORY "${PROJECT_SOURCE_DIR}/core/include/amazonq" "${PROJECT_BINARY_DIR}/core/include/amazonq"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    COMPONENT development
    FILES_MATCHING
    PATTERN "*.h")

# find_package(amazonq): amazonq::amazonq, amazonq::plugin-api, aq_add_plugin()
install(
    EXPORT amazonqTargets
    NAMESPACE amazonq::
    DESTINATION "${AQ_CMAKE_DIR}"
    COMPONENT development)
configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/amazonqConfig.cmake.in" "${PROJECT_BINARY_DIR}/amazonqConfig.cmake"
    INSTALL_DESTINATION "${AQ_CMAKE_DIR}"
    PATH_VARS AQ_PLUGIN_DIR
    NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 a minor version may change the API: a program asks for the one it was written for.
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(compatibility SameMinorVersion)
else()
    set(compatibility SameMajorVersion)
endif()
write_basic_package_version_file("${PROJECT_BINARY_DIR}/amazonqConfigVersion.cmake"
                                 COMPATIBILITY ${compatibility})
install(
    FILES "${PROJECT_BINARY_DIR}/amazonqConfig.cmake"
          "${PROJECT_BINARY_DIR}/amazonqConfigVersion.cmake"
          "${PROJECT_SOURCE_DIR}/cmake/AmazonqPlugin.cmake" "${PROJECT_SOURCE_DIR}/cmake/plugin.map"
    DESTINATION "${AQ_CMAKE_DIR}"
    COMPONENT development)

# amazonq.pc, with paths relative to itself so that it survives a move
set(AQ_PC_LIBDIR "${CMAKE_INSTALL_FULL_LIBDIR}")
set(AQ_PC_INCLUDEDIR "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" AND NOT IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    file(RELATIVE_PATH up "${CMAKE_INSTALL_PREFIX}/${AQ_PKGCONFIG_DIR}" "${CMAKE_INSTALL_PREFIX}")
    string(REGEX REPLACE "/$" "" up "${up}")
    set(AQ_PC_PREFIX "\${pcfiledir}/${up}")
    set(AQ_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(AQ_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
else()
    set(AQ_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/amazonq.pc.in" "${PROJECT_BINARY_DIR}/amazonq.pc" @ONLY)
install(
    FILES "${PROJECT_BINARY_DIR}/amazonq.pc"
    DESTINATION "${AQ_PKGCONFIG_DIR}"
    COMPONENT development)

install(
    FILES "${PROJECT_SOURCE_DIR}/LICENSE"
    DESTINATION "${CMAKE_INSTALL_DOCDIR}"
    COMPONENT runtime)
# side by side, as the pages' links to the examples expect
install(
    DIRECTORY "${PROJECT_SOURCE_DIR}/docs" "${PROJECT_SOURCE_DIR}/examples"
    DESTINATION "${CMAKE_INSTALL_DOCDIR}"
    COMPONENT development
    OPTIONAL) # neither the image nor the Python package is built with them
