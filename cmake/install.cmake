# cmake --install BUILD --prefix PREFIX: a program that starts from there, with what its documents name.
include(GNUInstallDirs)

# A yyjson that is none of the system's goes along, and the program looks for it beside itself, wherever the prefix is.
get_filename_component(YYJSON_REAL ${YYJSON_LIBRARY} REALPATH)
list(FIND CMAKE_C_IMPLICIT_LINK_DIRECTORIES ${YYJSON_FOLDER} YYJSON_IN_SYSTEM)
if(YYJSON_IN_SYSTEM EQUAL -1)
  file(GLOB YYJSON_RUNTIME ${YYJSON_FOLDER}/libyyjson.so.*)
  install(FILES ${YYJSON_RUNTIME} DESTINATION ${CMAKE_INSTALL_LIBDIR}/drover)
  file(RELATIVE_PATH CARRIED ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR}/drover)
  set_target_properties(drover PROPERTIES INSTALL_RPATH "$ORIGIN/${CARRIED}")
endif()

install(TARGETS drover DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY schemas/mappings schemas/samples DESTINATION ${CMAKE_INSTALL_DATADIR}/drover/schemas)

# The documents lie to one another as they do in the sources, so their links lead somewhere.
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md"
        PATTERN "*.svg")
install(FILES README.md CHANGELOG.md CONTRIBUTING.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES schemas/wire.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/schemas)
install(DIRECTORY schemas/js schemas/json DESTINATION ${CMAKE_INSTALL_DOCDIR}/schemas)
file(RELATIVE_PATH MAPPINGS_FROM_DOCUMENTS ${CMAKE_INSTALL_FULL_DOCDIR}/schemas ${CMAKE_INSTALL_FULL_DATADIR}/drover/schemas/mappings)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/documents)
file(CREATE_LINK ${MAPPINGS_FROM_DOCUMENTS} ${PROJECT_BINARY_DIR}/documents/mappings SYMBOLIC)
install(FILES ${PROJECT_BINARY_DIR}/documents/mappings DESTINATION ${CMAKE_INSTALL_DOCDIR}/schemas)
