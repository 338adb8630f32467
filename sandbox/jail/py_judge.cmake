# The judge's Python side: a library that assay-jail (and the judge's own tests) link. py_tester.py is embedded as text.
set(source ${CMAKE_CURRENT_LIST_DIR}/py_tester.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
file(READ ${source} text)
string(LENGTH "${text}" length)
# A string literal may be bounded by the compiler: pieces of 8,000 characters, one after the other.
set(pieces "")
set(at 0)
while(at LESS length)
  string(SUBSTRING "${text}" ${at} 8000 piece)
  string(APPEND pieces "R\"assay_py(${piece})assay_py\"\n")
  math(EXPR at "${at} + 8000")
endwhile()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/py_tester_source.cc @ONLY CONTENT
  "#include \"sandbox/jail/py_tester_source.h\"\nnamespace assay::jail {\nconst char kPyTesterSource[] =\n@pieces@;\n}\n")

# Written by verifiers/code, read by the jail: no Python in it.
add_library(assay_judge_spec STATIC ${CMAKE_CURRENT_LIST_DIR}/judge_spec.cc)
target_link_libraries(assay_judge_spec PUBLIC assay_flags)

add_library(assay_jail_judge STATIC
  ${CMAKE_CURRENT_LIST_DIR}/py_candidate.cc
  ${CMAKE_CURRENT_LIST_DIR}/py_channel.cc
  ${CMAKE_CURRENT_LIST_DIR}/py_measure.cc
  ${CMAKE_CURRENT_LIST_DIR}/py_runtime.cc
  ${CMAKE_CURRENT_LIST_DIR}/py_tester.cc
  ${CMAKE_CURRENT_LIST_DIR}/py_transfer.cc
  ${CMAKE_BINARY_DIR}/generated/py_tester_source.cc)
target_link_libraries(assay_jail_judge PUBLIC assay_judge_spec assay_core lib::python)
