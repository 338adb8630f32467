# assay_embed_text(OUTPUT HEADER NAMESPACE SYMBOL SOURCE..): writes OUTPUT, a C++ source that defines `const char SYMBOL[]` as the
# text of the SOURCEs, one after the other. A string literal may be bounded by the compiler: pieces of 8,000 characters.
function(assay_embed_text output header namespace symbol)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${ARGN})
  set(pieces "")
  foreach(source ${ARGN})
    file(READ ${source} text)
    string(LENGTH "${text}" length)
    set(at 0)
    while(at LESS length)
      string(SUBSTRING "${text}" ${at} 8000 piece)
      string(APPEND pieces "R\"assay_txt(${piece})assay_txt\"\n")
      math(EXPR at "${at} + 8000")
    endwhile()
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
    "#include \"@header@\"\nnamespace @namespace@ {\nconst char @symbol@[] =\n@pieces@;\n}\n")
endfunction()
