# SPDX-License-Identifier: Apache-2.0
# aq_add_plugin(NAME store-memory SOURCES store_memory.c [LIBS ...] [INCLUDES ...])
#
# Makes a plugin, in C or C++: a module that exports aq_plugin_v1 alone, sees <amazonq/plugin.h> alone, and has
# every symbol resolved at link time. Authors outside this tree get the same function from
# find_package(amazonq); there it links amazonq::plugin-api and installs nothing by itself.

function(aq_add_plugin)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;LIBS;INCLUDES")
    if(NOT arg_NAME MATCHES "^(store|transport)-[a-z0-9-]+$")
        message(FATAL_ERROR "aq_add_plugin: NAME '${arg_NAME}' must be store-NAME or transport-NAME")
    endif()

    add_library(${arg_NAME} MODULE ${arg_SOURCES})
    target_link_libraries(${arg_NAME} PRIVATE amazonq::plugin-api ${arg_LIBS})
    target_include_directories(${arg_NAME} PRIVATE ${arg_INCLUDES})
    target_link_options(${arg_NAME} PRIVATE -Wl,--version-script=${AQ_PLUGIN_MAP} -Wl,--exclude-libs,ALL)
    if(NOT AQ_SANITIZE)
        target_link_options(${arg_NAME} PRIVATE -Wl,-z,defs)
    endif()
    set_target_properties(${arg_NAME} PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden
                                                 LINK_DEPENDS ${AQ_PLUGIN_MAP})
    if(TARGET amazonq_options) # inside this project
        target_link_libraries(${arg_NAME} PRIVATE amazonq::options)
        set_target_properties(
            ${arg_NAME} PROPERTIES LIBRARY_OUTPUT_DIRECTORY
                                   "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/${AQ_PLUGIN_SUBDIR}")
        install(TARGETS ${arg_NAME} LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/${AQ_PLUGIN_SUBDIR}"
                                            COMPONENT plugin-${arg_NAME})
        set_property(GLOBAL APPEND PROPERTY AQ_PLUGINS ${arg_NAME}) # for the Python wheel
    endif()
endfunction()

set(AQ_PLUGIN_MAP "${CMAKE_CURRENT_LIST_DIR}/plugin.map")
