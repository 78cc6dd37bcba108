/*
 * spare: blocks of memory that OpenSSL gave back, kept by each thread for what OpenSSL asks for
 * next. A handshake takes and gives some 3,000 of them; glibc keeps seven of a size for a thread,
 * and for all others takes a lock and walks its lists: a tenth of a probe's CPU.
 *
 * All blocks are malloc's own, and may be freed by another thread than took them. Nothing is kept
 * where an AddressSanitizer looks on: it shall see every block come and go.
 */
#ifndef MX509_SPARE_H
#define MX509_SPARE_H

/* Before OpenSSL has taken any memory: after that it changes nothing. */
void spare_install(void);

#endif
