# `cmake --install` puts programs, the jail, completions, the manual and ready rubrics under the prefix; `cpack` makes a .deb of the
# same without training: LibTorch comes from a wheel and is no package's to carry. The version is project()'s and stands nowhere else.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME assay)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The Assay authors <assay@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "decides what a language model's answer is worth")
set(CPACK_PACKAGE_DESCRIPTION
  "Verifies sampled answers (mathematics, code in a sandbox, form), turns them into rewards, advantages and data sets, and serves the\n"
  "same over HTTP to training frameworks.")
list(JOIN CPACK_PACKAGE_DESCRIPTION "" CPACK_PACKAGE_DESCRIPTION)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL assay)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "gcc, g++")
include(CPack)
