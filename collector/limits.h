/*
 * limits: what a stranger (a mail server, a resolver, a list of targets) can make the collector
 * hold, read or wait for. What passes one of these costs its own probe only, under the outcome or
 * flag that is named here. Times are milliseconds, sizes octets.
 */
#ifndef MX509_COLLECTOR_LIMITS_H
#define MX509_COLLECTOR_LIMITS_H

#include "store/base/limits.h"

/* SMTP before TLS: what passes one of these is protocol-error. RFC 5321 section 4.5.3.1.5 allows
 * 512 octets a reply line; servers that put whole policies into one line exist. */
#define LIMIT_SMTP_LINE 4096	       /* octets of a reply line, less its end */
#define LIMIT_SMTP_GREETING_LINES 512  /* lines of a greeting */
#define LIMIT_SMTP_REPLY_LINES 2048    /* lines of any other reply */
#define LIMIT_SMTP_OCTETS (128u << 10) /* octets before the handshake, all replies together */
#define LIMIT_SMTP_READ 4096	       /* octets taken from the socket at once */

/* TLS. A Certificate message larger than this is never shown to us: handshake-error with the
 * flag chain-too-long. RFC 8446 section 4.4.2 would allow 16 MiB. */
#define LIMIT_TLS_CERTIFICATE_MESSAGE (256u << 10)

/* The farewell: how long, and through how much (session tickets, mostly) we wait for the reply to
 * QUIT. Nothing of it is evidence. */
#define LIMIT_QUIT_WAIT_MS 3000
#define LIMIT_QUIT_OCTETS (64u << 10)
#define LIMIT_QUIT_TURNS 256 /* times that something came */

/* Reads after a stage's time is over, of what had come before that. */
#define LIMIT_LATE_TURNS 64

/* Wall clock against monotonic clock over one probe: more is the flag clock-stepped. */
#define LIMIT_CLOCK_DRIFT_MS 100

/* Targets. */
#define LIMIT_TARGET_LINE 1024 /* octets of a line; a longer one is a bad line */

/* DNS: what goes beyond is left out, and the run says so. */
#define LIMIT_DNS_HOSTS 128	  /* MX hosts of a domain that are probed */
#define LIMIT_DNS_ADDRESSES 128	  /* addresses of a host and family that are probed */
#define LIMIT_DNS_TARGET 1024	  /* addresses of all MX hosts of a domain that are probed */
#define LIMIT_DNS_CACHE 65536	  /* answers that a run remembers */
#define LIMIT_DNS_QUERIES 1024	  /* questions under way at once */
#define LIMIT_DNS_SLOW_MS 2000	  /* without a first answer: that is said */
#define LIMIT_DNS_FAILED_MS 60000 /* after a failure a name is not asked for again */
#define LIMIT_DNS_WAIT_MS 10000	  /* for an answer: then it is failed, and nobody waits for it */

/* MTA-STS policies; their size stands with the store's limits. */
#define LIMIT_STS_MS 60000    /* from the first packet to the last, RFC 8461 section 3.3 */
#define LIMIT_STS_FETCHES 64  /* under way at once */
#define LIMIT_STS_ADDRESSES 8 /* of a policy host that are tried */

/* The schedule: what the command line may ask for. */
#define LIMIT_CONCURRENCY 100000
#define LIMIT_THREADS 64
#define LIMIT_RATE 1000000
#define LIMIT_TIMEOUT_S 3600
#define LIMIT_GAP_MS 86400000
#define LIMIT_NEXTHOPS 100000000

/* Connections at once, unless the command line says otherwise. */
#define DEFAULT_PER_NETWORK 8
#define DEFAULT_PER_OPERATOR 64

/* An address that says 421 or another 4yz is left alone for so long, then for four times that;
 * after LIMIT_BACK_OFFS in a row for the rest of the run (of a pass of a watch: pass.h). A visit
 * repeats so many probes at most.
 */
#define LIMIT_BACK_OFF_MS 5000
#define LIMIT_BACK_OFFS 3
#define LIMIT_REPEATS 8

/* A watch: its passes' interval; how close to the end of a leaf's validity it looks more often, and
 * how often then (that part of the interval); how many addresses it looks at closely after a
 * change, of an operator and in all; how often in a row what is looked at closely begins anew, by
 * changes that go on; lines of the same kind said in an interval of an hour. */
#define LIMIT_INTERVAL_LEAST_MS 1000
#define LIMIT_INTERVAL_MS INT64_C(2592000000)
#define LIMIT_WATCH_END_MS 86400000
#define LIMIT_WATCH_END_PART 4
#define LIMIT_WATCH_OPERATOR 512
#define LIMIT_WATCH_CLOSE 4096
#define LIMIT_WATCH_RESTARTS 30
#define LIMIT_WATCH_LINES 100
#define LIMIT_WATCH_LIST (UINT64_C(1) << 32) /* octets of a list of targets */

/* What is held at once, whatever the length of the list. */
#define LIMIT_SHUFFLE 4096  /* targets of each kind that were read and not begun */
#define LIMIT_LOOKUPS 1024  /* targets that are looked up */
#define LIMIT_QUEUED 4096   /* visits that wait, and two more for each connection */
#define LIMIT_RECENT 393216 /* what the run remembers to have met: hosts, addresses, ... each */

/* Observations are committed when so many wait, or after a second; while as many octets of them
 * wait for the disk no probe is begun. */
#define LIMIT_RECORD_BATCH 1000
#define LIMIT_RECORD_WAIT_MS 1000
#define LIMIT_RECORD_OCTETS (64u << 20)

#endif
