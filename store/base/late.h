/*
 * late: shared libraries that few commands need, loaded when the first of their functions is: each
 * costs a start some third of a millisecond, and a question about one host takes ten in all.
 *
 *	static struct late psl = LATE_LIBPSL;
 *	LATE(psl, psl_builtin)();	the type is that of the header's declaration
 *
 * The names are those of Debian 12, and of the headers that this was compiled with: the test
 * store/late is linked with the libraries and holds them against these. A package must name them
 * among its dependencies itself.
 *
 * A library that is not there ends the program, as it would have at its start: with one line and
 * status 2. Who will be short of file descriptors later calls late_load() before.
 *
 * Threads: any.
 */
#ifndef MX509_LATE_H
#define MX509_LATE_H

#include <stdatomic.h>
#include <stdint.h>

struct late {
	const char *soname;
	_Atomic(void *) handle;
};

#define LATE_LIBEXPAT                     \
	{                                 \
		.soname = "libexpat.so.1" \
	}
#define LATE_LIBIDN2                     \
	{                                \
		.soname = "libidn2.so.0" \
	}
#define LATE_LIBPSL                     \
	{                               \
		.soname = "libpsl.so.5" \
	}
#define LATE_LIBSSL                     \
	{                               \
		.soname = "libssl.so.3" \
	}

#define LATE(library, function) \
	((__typeof__(&(function)))(uintptr_t)late_function(&(library), #function))

void late_load(struct late *library);

/* Never NULL. */
void *late_function(struct late *library, const char *name) __attribute__((returns_nonnull));

#endif
