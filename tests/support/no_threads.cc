// Linked into test programs that have one thread (one_thread_test in tests/CMakeLists.txt): these
// are not built for TSan, which would find nothing in them. A test that makes a thread after all
// fails, so that it is moved to a program that TSan sees.
//
// LMDB may make its own: its compacting copy writes by one, and joins it before it returns.

#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) noexcept {
  Dl_info caller{};
  if (dladdr(__builtin_return_address(0), &caller) != 0 && caller.dli_fname != nullptr &&
      std::string_view(caller.dli_fname).find("liblmdb") != std::string_view::npos) {
    const auto create =
        reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
    return create(thread, attributes, start, argument);
  }
  std::fputs("this program has no threads, and TSan never sees it: see tests/CMakeLists.txt\n",
             stderr);
  return EAGAIN;
}
