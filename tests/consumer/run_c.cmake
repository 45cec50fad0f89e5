# cmake -D PROGRAM=... -D DIRECTORY=... -P run_c.cmake: runs it on a store that does not exist yet.
file(REMOVE_RECURSE "${DIRECTORY}" "${DIRECTORY}.salvaged")
execute_process(COMMAND "${PROGRAM}" "${DIRECTORY}" RESULT_VARIABLE code)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with ${code}")
endif()
