/*
 * watch: the command "mxcollect watch": passes over the targets for ever (run/pass.h), and between
 * them closer looks at what has changed (places.h), through one schedule and its one pace. Names
 * are looked up anew in every pass, by a resolver of its own, so that nothing outlives it: neither
 * an answer nor what was found out about the resolver.
 *
 * What is held in memory: the list as it stands in its file, and the places; nothing that grows
 * with time. mxcollect(1) says what signals do.
 */
#ifndef MX509_WATCH_H
#define MX509_WATCH_H

/* argv[0] is the command's own name. Returns the exit status. */
int watch_command(int argc, char **argv);

#endif
