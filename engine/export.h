/* TIDEMARK_API: what a shared library of Tidemark exports. Everything else is hidden. Also for C.
 */

#ifndef TIDEMARK_ENGINE_EXPORT_H_
#define TIDEMARK_ENGINE_EXPORT_H_

#ifdef __cplusplus
#define TIDEMARK_API [[gnu::visibility("default")]]
// What stands inside a class that is shown.
#define TIDEMARK_HIDDEN [[gnu::visibility("hidden")]]
#else
#define TIDEMARK_API __attribute__((visibility("default")))
#endif

#endif /* TIDEMARK_ENGINE_EXPORT_H_ */
