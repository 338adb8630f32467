# cmake -DSOURCE=.. -DOUTPUT=.. -DFROM=.. -DTO=.. -P mutate.cmake: a copy of SOURCE with FROM, which must occur exactly once,
# replaced by TO. For mutation tests: a mutant that no longer applies stops the build.
file(READ ${SOURCE} text)
string(FIND "${text}" "${FROM}" first)
string(FIND "${text}" "${FROM}" last REVERSE)
if(first EQUAL -1 OR NOT first EQUAL last)
  message(FATAL_ERROR "'${FROM}' does not occur exactly once in ${SOURCE}")
endif()
string(REPLACE "${FROM}" "${TO}" mutant "${text}")
file(WRITE ${OUTPUT} "${mutant}")
