# The judge and the `code` verifier.
add_executable(assay_code_attacks code_attacks.cc)
target_link_libraries(assay_code_attacks PRIVATE assay_verifiers assay_sandbox)
add_dependencies(assay_code_attacks assay-jail)
assay_test(code_extract_test SOURCES code_extract_test.cc LABELS fast LIBS assay_verifiers)
assay_test(code_verifier_test SOURCES code_verifier_test.cc LABELS sandbox LIBS assay_verifiers assay_sandbox)
assay_test(judge_test SOURCES judge_test.cc LABELS sandbox LIBS assay_verifiers assay_sandbox)
add_dependencies(code_verifier_test assay-jail)
add_dependencies(judge_test assay-jail)
