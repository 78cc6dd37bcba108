/*
 * err: how a function of mx509 says what went wrong.
 *
 * A function returns 0 (or a count) or one of the negative codes below and fills the caller's
 * struct err with one line for a person: what was being done, to what, what was wrong, and what
 * to do. The first error wins: err_set() on a struct that holds one already changes nothing, so
 * that a transaction can carry its first error to the end.
 *
 * Not for findings: a malformed certificate or a server that breaks the protocol is data.
 * Out of memory is not an error either: it ends the program (mem.h).
 */
#ifndef MX509_ERR_H
#define MX509_ERR_H

enum err_code {
	ERR_NONE = 0,
	ERR_INPUT = -1,	    /* what was given is not what it must be */
	ERR_NOT_FOUND = -2, /* what was asked for is not there */
	ERR_SYSTEM = -3,    /* the operating system refused; the text ends in its reason */
	ERR_FULL = -4,	    /* no room left on the disk */
	ERR_FORMAT = -5,    /* no mx509 store, or one of another version */
	ERR_DAMAGED = -6,   /* a checksum, hash or reference in the store does not hold */
	ERR_LIMIT = -7,	    /* larger than limits.h allows */
};

struct err {
	int code; /* ERR_NONE while nothing went wrong */
	char text[512];
};

/* Records the first error; returns the code recorded first. A NULL err is allowed. A line that is
 * too long is shortened in its middle. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: appends ": " and strerror(errnum). ENOSPC and EDQUOT make
 * it ERR_FULL, whatever else: ERR_SYSTEM. */
int err_system(struct err *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
