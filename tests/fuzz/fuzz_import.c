/*
 * What the importers read, from any octets. The first one chooses the format: JSON lines, zgrab2,
 * Sonar, PEM, compressed data, or (L) a log of Postfix. What is taken must be fit for the store: a
 * record that an importer passes on and the store then refuses is a line that nobody names.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/base/base64.h"
#include "store/base/stream.h"
#include "store/base/text.h"
#include "store/exchange/postfix_join.h"
#include "store/exchange/sonar.h"
#include "store/exchange/zgrab2.h"
#include "store/record/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* What is read, written and read again is the same in every member. */
static void
json(const char *line, size_t len)
{
	struct json_record record, again;
	struct buf first = {0}, second = {0};
	struct err err = {0};

	if (json_parse(&record, line, len, &err) != 0) {
		require(err.code != ERR_NONE && err.text[0] != '\0');
		return;
	}
	if (record.type == JSON_RECORD_OBSERVATION) {
		json_observation(&first, &record.series, &record.observation);
		require(json_parse(&again, (const char *)first.data, first.len, &err) == 0);
		json_observation(&second, &again.series, &again.observation);
		require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
		json_record_finish(&again);
	}
	json_record_finish(&record);
	buf_finish(&first);
	buf_finish(&second);
}

static void
zgrab2(const char *line, size_t len)
{
	struct zgrab2 *z = malloc(sizeof(*z));
	struct err err = {0}, why = {0};
	int rc;

	require(z != NULL);
	if (zgrab2_open(z, line, len, "here", &err) == 0) {
		while ((rc = zgrab2_next(z, &err)) > 0) {
			size_t start = 0;

			require(series_valid(&z->series, &why) == 0);
			if (observation_time_valid(z->observation.time_ms))
				require(observation_valid(&z->series, &z->observation, &why) == 0);
			for (size_t i = 0; i < z->chain_n; start = z->ends[i++])
				require(z->ends[i] >= start && z->ends[i] <= z->ders.len);
		}
		require(rc == 0 || err.code != ERR_NONE);
		zgrab2_close(z);
	}
	free(z);
}

static void
sonar(const char *line, size_t len)
{
	struct sonar_line parsed;
	struct sonar_file file;
	struct buf der = {0}, name = {0};
	struct err err = {0};

	if (sonar_parse(&parsed, &der, line, len, &err) != 0)
		require(err.code == ERR_INPUT);
	else if (!parsed.is_certificate)
		require(parsed.address.family == 4 || parsed.address.family == 6);
	buf_append(&name, line, len);
	sonar_file_of(&file, buf_text(&name));
	buf_finish(&der);
	buf_finish(&name);
}

static void
pem(const char *text, size_t len)
{
	struct buf der = {0};
	size_t at = 0, before = 0;

	while (base64_pem_next(&der, text, len, &at) > 0) {
		require(at > before && at <= len);
		before = at;
	}
	buf_finish(&der);
}

static void
stream(const uint8_t *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct stream s;
	struct err err = {0};
	uint8_t block[4096];
	uint64_t most = 1 << 24;
	char path[32];
	int64_t n = 0;

	require(fd >= 0 && (len == 0 || write(fd, data, len) == (ssize_t)len));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	require(stream_open(&s, path, &err) == 0);
	while (most > 0 && (n = stream_read(&s, block, sizeof(block), &err)) > 0) {
		require(n <= (int64_t)sizeof(block));
		most -= (uint64_t)n;
	}
	require(n >= 0 || n == ERR_INPUT);
	stream_close(&s);
	close(fd);
}

/* What goes into a record as it is must be fit for it; what is a name is judged by the import. */
static int
fits(void *ctx, const struct join_finding *f, struct err *err)
{
	struct evidence e = {.outcome = f->did.outcome,
	    .smtp_code = f->did.smtp_code,
	    .tls_alert = f->did.tls_alert,
	    .tls_version = f->protocol,
	    .cipher = f->cipher,
	    .group = f->group,
	    .server_signature = f->signature,
	    .reported_by = "postfix",
	    .reported_status = f->status,
	    .reported_reason = f->reason};

	require(evidence_valid(&e, err) == 0);
	require(strlen(f->host) < sizeof(f->host) && strlen(f->sni) < sizeof(f->sni));
	return 0;
}

static void
log_lines(const char *text, size_t len)
{
	struct join *join = join_create(fits, NULL);
	struct join_line line = {.vantage = "here"};
	struct err err = {0};

	while (len > 0) {
		const char *lf = memchr(text, '\n', len);
		size_t n = lf != NULL ? (size_t)(lf - text) : len;
		struct syslog_line parsed;
		struct postfix_event event;

		syslog_parse(&parsed, text, n);
		require(parsed.message.len <= n && parsed.machine.len <= n);
		postfix_parse(&event, parsed.message);
		for (int i = 0; i < POSTFIX_FIELD_N; i++)
			require(event.at[i].len <= n || i == POSTFIX_DIRECTION);
		if (event.kind != POSTFIX_OTHER)
			require(postfix_is_likely(parsed.message));
		postfix_goes_on(&event, parsed.message);
		line.log = &parsed;
		line.number++;
		line.time_ms += parsed.second * 1000;
		require(join_take(join, &line, &event, &err) == 0);
		n += lf != NULL;
		text += n;
		len -= n;
	}
	require(join_finish(join, &err) == 0 && !join_waits(join));
	join_destroy(join);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data + 1;

	if (len == 0)
		return 0;
	if (data[0] == 'L') {
		log_lines(text, len - 1);
		return 0;
	}
	switch (data[0] % 5) {
	case 0:
		json(text, len - 1);
		break;
	case 1:
		zgrab2(text, len - 1);
		break;
	case 2:
		sonar(text, len - 1);
		break;
	case 3:
		pem(text, len - 1);
		break;
	default:
		stream(data + 1, len - 1);
	}
	return 0;
}
