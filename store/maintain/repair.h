/*
 * repair: what the parts of maintain_repair() share: walks over the tables of a transaction that
 * writes, and changes, which are made when a walk is over and no cursor stands on what they move.
 *
 * For the files of maintain_repair() alone. Threads: one. Memory: the changes of one walk.
 */
#ifndef MX509_REPAIR_H
#define MX509_REPAIR_H

#include "maintain.h"
#include "store/corpus/store_view.h"

struct repair {
	struct store *store;
	struct store_view view; /* of the transaction, which writes */
	const struct maintain_hooks *hooks;
	struct buf changes; /* to be made when the walk is over, see change() */
	struct buf missing; /* names of certificates that a chain names and nothing else */
	uint64_t mended, records;
};

/* "mended: …" to the caller's `say`; counted. */
void __attribute__((format(printf, 2, 3))) repair_say(struct repair *r, const char *fmt, ...);

/* To be made by repair_apply(), which repair_walk() ends with. value NULL: the record goes. */
void repair_change(
    struct repair *r, enum db_table table, const struct key *key, const void *value, size_t len);
void repair_change_number(
    struct repair *r, enum db_table table, const struct key *key, uint32_t number);
int repair_apply(struct repair *r, struct err *err);

/* value is NULL where the checksum does not hold. */
typedef void repair_record(struct repair *r, const struct key *key, const struct db_bytes *value);
int repair_walk(struct repair *r, enum db_table table, repair_record *each, struct err *err);

/* The number that a key is, and that a record holds. */
uint32_t repair_number_in(const struct key *key);
uint32_t repair_number_of(const struct db_bytes *value);
bool repair_is_number(
    struct repair *r, enum db_table table, const struct key *key, uint32_t number);
/* Whether there is such a record at all, damaged or not; and one that holds together. */
bool repair_exists(struct repair *r, enum db_table table, const struct key *key);
bool repair_is_whole(struct repair *r, enum db_table table, const struct key *key);

/* The parts: the record of what was dropped, before all others; the indexes, and the names of
 * certificates that a chain needs; then the journal. */
int repair_numbers(struct repair *r, struct err *err);
int repair_indexes(struct repair *r, struct err *err);
int repair_journal(struct repair *r, struct err *err);

#endif
