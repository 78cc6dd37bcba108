/*
 * thread_exit: what a thread keeps for itself (a context that is dear to make) is freed when the
 * thread ends. What the main thread keeps lives as long as the process.
 */
#ifndef MX509_THREAD_EXIT_H
#define MX509_THREAD_EXIT_H

/* Calls free_it(p) when the calling thread ends, unless that is the main one. */
void thread_exit_free(void (*free_it)(void *p), void *p);

#endif
