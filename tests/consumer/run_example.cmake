# Runs the example of a README in an empty directory, twice: it must print OUTPUT, a pattern.
file(REMOVE_RECURSE "${DIRECTORY}")
file(MAKE_DIRECTORY "${DIRECTORY}")
foreach(run first second)
  execute_process(COMMAND "${PROGRAM}" WORKING_DIRECTORY "${DIRECTORY}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result EQUAL 0 OR NOT output MATCHES "^${OUTPUT}$")
    message(FATAL_ERROR "the ${run} run ended with ${result}:\n${output}${errors}")
  endif()
endforeach()
