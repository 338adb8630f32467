# assay_test(NAME file.cc LABELS fast [LIBS ...]): one test program, run by ctest. Every *_test.cc under tests/ must be
# named in such a call: tests/CMakeLists.txt compares the two lists and stops the configuration if they differ.
include(GoogleTest)
find_package(GTest REQUIRED)
set_property(GLOBAL PROPERTY ASSAY_TEST_SOURCES "")

function(assay_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LABELS;LIBS;ENV" ${ARGN})
  foreach(source ${ARG_SOURCES})
    get_filename_component(full ${source} ABSOLUTE)
    set_property(GLOBAL APPEND PROPERTY ASSAY_TEST_SOURCES ${full})
  endforeach()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    SKIP_REGULAR_EXPRESSION "ASSAY_SKIPPED_WHOLE_PROGRAM"
    ENVIRONMENT "ASSAY_SOURCE_DIR=${PROJECT_SOURCE_DIR};ASSAY_BUILD_DIR=${CMAKE_BINARY_DIR};${ARG_ENV}")
  # Wall limits and LibTorch's threads both suffer when several such programs share few cores.
  if("sandbox" IN_LIST ARG_LABELS)
    set_tests_properties(${name} PROPERTIES RESOURCE_LOCK sandbox)
  endif()
  if("train" IN_LIST ARG_LABELS)
    set_tests_properties(${name} PROPERTIES RESOURCE_LOCK torch_threads)
  endif()
endfunction()
