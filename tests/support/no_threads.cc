// Linked into test programs that have one thread (one_thread_test in tests/CMakeLists.txt): these
// are not built for TSan, which would find nothing in them. A test that makes a thread after all
// fails, so that it is moved to a program that TSan sees.

#include <pthread.h>

#include <cerrno>
#include <cstdio>

extern "C" int pthread_create(pthread_t* /*thread*/, const pthread_attr_t* /*attributes*/,
                              void* (* /*start*/)(void*), void* /*argument*/) noexcept {
  std::fputs("this program has no threads, and TSan never sees it: see tests/CMakeLists.txt\n",
             stderr);
  return EAGAIN;
}
