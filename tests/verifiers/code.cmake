# The judge and the `code` verifier.
add_executable(assay_code_attacks code_attacks.cc)
target_link_libraries(assay_code_attacks PRIVATE assay_verifiers assay_sandbox)
add_dependencies(assay_code_attacks assay-jail)
