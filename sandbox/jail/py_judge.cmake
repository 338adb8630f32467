# The judge's Python side: a library that assay-jail (and the judge's own tests) link. py_tester.py is embedded as text.
include(${PROJECT_SOURCE_DIR}/cmake/EmbedText.cmake)
assay_embed_text(${CMAKE_BINARY_DIR}/generated/py_tester_source.cc sandbox/jail/py_tester_source.h assay::jail kPyTesterSource
  ${CMAKE_CURRENT_LIST_DIR}/py_tester.py)

assay_embed_text(${CMAKE_BINARY_DIR}/generated/py_beside_plan_source.cc sandbox/jail/py_beside_source.h assay::jail kPyBesidePlanSource
  ${CMAKE_CURRENT_LIST_DIR}/py_beside_plan.py)
# One module of two texts.
assay_embed_text(${CMAKE_BINARY_DIR}/generated/py_beside_source.cc sandbox/jail/py_beside_source.h assay::jail kPyBesideSource
  ${CMAKE_CURRENT_LIST_DIR}/py_small_pytest.py ${CMAKE_CURRENT_LIST_DIR}/py_beside.py)

# Written by verifiers/code, read by the jail: no Python in it.
add_library(assay_judge_spec STATIC ${CMAKE_CURRENT_LIST_DIR}/judge_spec.cc)
target_link_libraries(assay_judge_spec PUBLIC assay_flags)

add_library(assay_jail_judge STATIC
  ${CMAKE_CURRENT_LIST_DIR}/py_candidate.cc
  ${CMAKE_CURRENT_LIST_DIR}/py_channel.cc
  ${CMAKE_CURRENT_LIST_DIR}/py_heap.cc
  ${CMAKE_CURRENT_LIST_DIR}/py_measure.cc
  ${CMAKE_CURRENT_LIST_DIR}/py_runtime.cc
  ${CMAKE_CURRENT_LIST_DIR}/py_tester.cc
  ${CMAKE_CURRENT_LIST_DIR}/py_transfer.cc
  ${CMAKE_BINARY_DIR}/generated/py_beside_plan_source.cc
  ${CMAKE_BINARY_DIR}/generated/py_beside_source.cc
  ${CMAKE_BINARY_DIR}/generated/py_tester_source.cc)
target_link_libraries(assay_jail_judge PUBLIC assay_judge_spec assay_core lib::python)
