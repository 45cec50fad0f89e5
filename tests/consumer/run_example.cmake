# Runs README.md's example in an empty directory: it must print what README.md says it prints.
file(REMOVE_RECURSE "${DIRECTORY}")
file(MAKE_DIRECTORY "${DIRECTORY}")
foreach(run first second)
  execute_process(COMMAND "${PROGRAM}" WORKING_DIRECTORY "${DIRECTORY}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result EQUAL 0 OR NOT output MATCHES "^hello, lobby\nundo: [0-9a-f-]+\n$")
    message(FATAL_ERROR "the ${run} run ended with ${result}:\n${output}${errors}")
  endif()
endforeach()
