/*
 * notify: what a service tells systemd: that it is ready, what it is at, that it is alive. The
 * protocol of sd_notify(3), NOTIFY_SOCKET and WATCHDOG_USEC: one datagram of lines NAME=VALUE.
 *
 * Not libsystemd: it would be one more library in a process that reads what strangers send, and
 * where it was missing at build time the service of Type=notify would never come up. The protocol
 * is promised to be stable, and the manual page encourages implementations of one's own.
 *
 * No state but the environment's; any thread.
 */
#ifndef MX509_NOTIFY_H
#define MX509_NOTIFY_H

#include <stdint.h>

/* "READY=1\nSTATUS=..."; nothing where nobody asked for it, or cannot be reached. */
void notify_send(const char *lines);

/* How often to send WATCHDOG=1: half of the time that systemd waits for it; 0: not at all. */
int64_t notify_watchdog_ms(void);

#endif
