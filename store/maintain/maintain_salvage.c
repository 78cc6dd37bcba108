/* merge from a corpus whose pages are damaged: what can be read of it goes into a corpus that is
 * made for it, and that is merged. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "maintain.h"
#include "stage.h"
#include "store/base/mem.h"
#include "store/corpus/pages.h"
#include "store/corpus/sound.h"
#include "store/corpus/store_view.h"

/* Octets between two commits: what is written waits in memory until then. */
#define COMMIT_OCTETS (UINT64_C(32) << 20)
#define TICK_RECORDS 1024

struct salvage {
	const char *dir;
	struct store *to;
	struct db_txn *txn;
	const struct maintain_hooks *hooks;
	struct maintain_merged *merged;
	uint64_t waiting, seen, wrong, taken;
	bool other_format;
	struct err *err;
};

/* What is content or order; indexes are rebuilt from it. */
static bool
is_wanted(enum db_table table)
{
	switch (table) {
	case DB_SERIES:
	case DB_SERIES_KEY:
	case DB_EVIDENCE:
	case DB_CHAIN:
	case DB_CERT:
	case DB_DICTIONARY:
	case DB_DAY:
	case DB_DAY_LAST:
		return true;
	default:
		return false;
	}
}

static enum db_table
table_of(const char *name)
{
	int table = 0;

	while (table < DB_TABLE_N && strcmp(db_table_name(table), name) != 0)
		table++;
	return table;
}

static int
put(struct salvage *s, enum db_table table, const struct key *key, const struct db_bytes *value)
{
	int rc = 0;

	if (s->waiting >= COMMIT_OCTETS) {
		s->waiting = 0;
		rc = db_commit(&s->txn, s->err);
	}
	if (rc == 0 && s->txn == NULL)
		rc = db_begin(s->to->db, true, &s->txn, s->err);
	if (rc == 0)
		rc = db_put(s->txn, table, key, value->p, value->len, DB_PUT, s->err);
	s->waiting += key->len + value->len;
	s->taken++;
	return rc;
}

static int
take(void *ctx, const char *name, const uint8_t *bytes, size_t len, const uint8_t *sealed,
    size_t sealed_len)
{
	struct salvage *s = ctx;
	enum db_table table = table_of(name);
	struct key key = {.len = len <= KEY_MAX ? len : 0};
	struct db_bytes value;

	if (table == DB_TABLE_N)
		return 0;
	memcpy(key.bytes, bytes, key.len);
	if (!db_unseal(&key, sealed, sealed_len, &value)) {
		s->wrong += is_wanted(table);
		return 0;
	}
	if (table == DB_META && db_is_format(&key)) {
		struct reader r = reader_of(value.p, value.len);

		s->other_format = !db_knows_format(reader_u32le(&r));
	}
	if (s->other_format)
		return ERR_FORMAT;
	if (s->hooks->tick != NULL && s->seen++ % TICK_RECORDS == 0 &&
	    s->hooks->tick(s->hooks->ctx, s->seen, 0))
		return err_set(s->err, ERR_INPUT, "interrupted: nothing of %s was taken", s->dir);
	return is_wanted(table) ? put(s, table, &key, &value) : 0;
}

static void
say(struct salvage *s, const char *what)
{
	struct buf line = {0};

	buf_printf(&line, "%s: damaged: %s", s->dir, what);
	s->hooks->say(s->hooks->ctx, buf_text(&line));
	s->merged->damaged++;
	buf_finish(&line);
}

static void
name_fault(void *ctx, const char *line)
{
	say(ctx, line);
}

static int
fill(struct salvage *s)
{
	int rc = pages_salvage(s->dir, take, name_fault, s, s->err);
	struct buf text = {0};

	if (rc >= 0)
		rc = s->txn != NULL ? db_commit(&s->txn, s->err) : 0;
	db_abort(&s->txn);
	if (rc == 0 && s->wrong > 0) {
		buf_printf(&text, "%llu records whose checksum does not hold are left out",
		    (unsigned long long)s->wrong);
		say(s, buf_text(&text));
		buf_finish(&text);
	}
	return rc;
}

static void
say_nothing(void *ctx, const char *line)
{
}

/* The stage stands in the directory of the target, where there is room for what comes. */
static int
salvage(struct store *into, const char *dir, const struct maintain_hooks *hooks,
    struct maintain_merged *merged, struct err *err)
{
	const struct maintain_hooks quiet = {say_nothing, hooks->tick, hooks->ctx};
	struct salvage s = {.dir = dir, .hooks = hooks, .merged = merged, .err = err};
	struct stage stage = {0};
	int rc = stage_open_within(&stage, store_dir(into), err);

	if (rc != 0)
		return rc;
	s.to = stage.store;
	rc = fill(&s);
	if (rc == 0 && s.taken == 0)
		rc = err_set(err, ERR_DAMAGED, "%s: damaged: nothing of it can be read", dir);
	if (rc == 0)
		rc = maintain_repair(stage.store, &quiet, err);
	if (rc >= 0) {
		/* What is told of it is told of the corpus that it comes from. */
		free(stage.store->dir);
		stage.store->dir = mem_strdup(dir);
		rc = maintain_merge(into, stage.store, hooks, merged, err);
	}
	stage_abandon(&stage);
	return rc;
}

/* Nobody writes to it meanwhile; who has it open may be about to. */
static int
salvage_locked(struct store *into, const char *dir, const struct maintain_hooks *hooks,
    struct maintain_merged *merged, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		rc = err_set(err, ERR_INPUT,
		    "%s: damaged, and another process has it open; end that one first", dir);
	else
		rc = salvage(into, dir, hooks, merged, err);
	if (fd >= 0)
		close(fd);
	return rc;
}

int
maintain_merge_from(struct store *into, const char *dir, const struct maintain_hooks *hooks,
    struct maintain_merged *merged, struct err *err)
{
	struct err why = {0}, in_parts = {0};
	struct store *from;
	int rc = store_open(&from, dir, STORE_READ, &why);

	if (rc == 0)
		rc = sound_check(from->db, false, &why);
	if (rc == 0)
		rc = maintain_merge(into, from, hooks, merged, err);
	store_close(from);
	if (why.code == ERR_NONE)
		return rc;
	if (why.code == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "%s: no corpus is here; name one that is", dir);
	if (why.code == ERR_DAMAGED || why.code == ERR_FORMAT) {
		rc = salvage_locked(into, dir, hooks, merged, &in_parts);
		if (rc != ERR_FORMAT)
			return rc == 0 ? 0 : err_set(err, rc, "%s", in_parts.text);
	}
	return err_set(err, why.code, "%s", why.text);
}
