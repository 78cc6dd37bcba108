#include "bench_workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"

#define TIME_0 INT64_C(1773900000000) /* 2026-03-19T06:00:00.000Z */
#define HOUR_MS 3600000

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

void
workload_init_hosts(struct workload *w, size_t hosts, size_t times)
{
	w->series_n = hosts * WORKLOAD_SERIES;
	w->n = w->series_n * times;
	w->series = mem_zero(w->series_n, sizeof(*w->series));
	w->greeting = mem_zero(hosts, sizeof(*w->greeting));
	for (size_t i = 0; i < w->series_n; i++) {
		struct series *s = &w->series[i];
		size_t host = i / WORKLOAD_SERIES, address = i / 2;

		s->kind = SERIES_PROBE;
		snprintf(s->host, sizeof(s->host), "mx%zu.host%zu.example.org", host % 3,
		    (size_t)(mix(host) % 1000000000));
		snprintf(w->greeting[host], sizeof(w->greeting[host]), "220 %.50s ESMTP", s->host);
		strcpy(s->vantage, "here");
		s->address.family = 4;
		for (int k = 0; k < 4; k++)
			s->address.octets[k] = (uint8_t)((address + (44u << 24)) >> (24 - 8 * k));
		s->port = 25;
		s->sni = i % 2 == 0 ? SNI_NONE : SNI_HOSTNAME;
	}
}

void
workload_init(struct workload *w, size_t about)
{
	size_t hosts = about / (WORKLOAD_SERIES * WORKLOAD_HOURS);

	workload_init_hosts(w, hosts > 0 ? hosts : 1, WORKLOAD_HOURS);
}

void
workload_finish(struct workload *w)
{
	free(w->series);
	free(w->greeting);
}

static void
name_of(struct hash *name, uint64_t what)
{
	for (int i = 0; i < 4; i++) {
		uint64_t v = mix(what * 4 + (uint64_t)i + 1);

		memcpy(name->bytes + 8 * i, &v, 8);
	}
}

void
workload_at(const struct workload *w, size_t i, struct bench_probe *p)
{
	static const char *const ehlo[] = {
	    "PIPELINING", "SIZE *", "STARTTLS", "ENHANCEDSTATUSCODES", "8BITMIME", "CHUNKING"};
	size_t hour = i / w->series_n, number = i % w->series_n, host = number / WORKLOAD_SERIES;
	uint64_t chance = mix(i + 1), epoch = (hour + mix(host) % 300) / 300;
	struct observation *o = &p->observation;
	bool times_out = chance % 200 == 0;

	p->series = (uint32_t)number;
	p->shown = (uint32_t)((host * 2 + number % 2) * 8 + epoch * 2 + times_out);
	o->time_ms = TIME_0 + (int64_t)hour * HOUR_MS + (int64_t)(number * HOUR_MS / w->series_n) +
		     (int64_t)(chance >> 32) % 50;
	o->ms[MS_DNS] = -1;
	o->ms[MS_CONNECT] = (int32_t)(10 + mix(number / 2) % 200 + (chance >> 40) % 8);
	o->ms[MS_GREETING] = (int32_t)(10 + (chance >> 16) % 200);
	o->ms[MS_STARTTLS] = times_out ? -1 : (int32_t)(10 + (chance >> 24) % 200);
	o->ms[MS_HANDSHAKE] = times_out ? -1 : (int32_t)(20 + (chance >> 8) % 400);
	o->evidence = (struct evidence){.outcome = OUTCOME_IO_TIMEOUT, .tls_alert = -1};
	if (times_out)
		return;
	o->evidence = (struct evidence){.outcome = OUTCOME_SUCCESS,
	    .smtp_code = 220,
	    .tls_alert = -1,
	    .sni_acknowledged = number % 2 == 0 ? TRI_NULL : TRI_TRUE,
	    .starttls_offered = TRI_TRUE,
	    .greeting = w->greeting[host],
	    .ehlo = ehlo,
	    .ehlo_n = 6,
	    .tls_version = "TLSv1.3",
	    .cipher = "TLS_AES_256_GCM_SHA384",
	    .group = "X25519",
	    .server_signature = "ECDSA",
	    .chain = p->chain,
	    .chain_n = 2};
	name_of(&p->chain[0], p->shown + 1000);
	name_of(&p->chain[1], host % 20);
}
