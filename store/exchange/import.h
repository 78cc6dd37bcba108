/*
 * import: files into the corpus. Bad lines are named and counted, the rest goes on; what is read is
 * committed in batches of IMPORT_BATCH records, so that an import that is cut short keeps what it
 * said; repeating it changes nothing.
 */
#ifndef MX509_IMPORT_H
#define MX509_IMPORT_H

#include "store/base/zone.h"
#include "store/corpus/store.h"

#define IMPORT_BATCH 10000

struct import_counts {
	uint64_t files, lines, octets;
	uint64_t observations, dns_answers, certificates; /* new ones */
	uint64_t repeated;				  /* records that the corpus had already */
	uint64_t bad;					  /* lines, or files of PEM */
	uint64_t skipped;    /* lines that say nothing about a mail server's TLS */
	uint64_t incomplete; /* observations that name certificates which were not given before */
	uint64_t opted_out;  /* observations, new or not, of names on the corpus's blocklist */
	char opted_out_first[LIMIT_NAME + 1];
};

struct import_hooks {
	/* A line that was not taken, for a person: "FILE:17: member \"time\": missing". */
	void (*complain)(void *ctx, const char *line);
	/* Now and then; true: finish the batch and stop. */
	bool (*tick)(void *ctx, const struct import_counts *counts);
	void *ctx;
	/* A certificate that an observation names and that neither the corpus nor what was read
	 * till then holds; again and again. NULL: nobody asks. */
	void (*missing)(void *ctx, const struct hash *name);
};

/* Adds to *counts. 0: all of the file was read; ERR_INPUT "interrupted …" after tick said so, with
 * the line after which nothing was read; other errors: the store or the file; what was committed
 * stays. */
int import_jsonl(struct store *store, const char *path, const struct import_hooks *hooks,
    struct import_counts *counts, struct err *err);

/* Lines of zgrab2 (zgrab2.h). The vantage is whose name the observations get. */
int import_zgrab2(struct store *store, const char *path, const char *vantage,
    const struct import_hooks *hooks, struct import_counts *counts, struct err *err);

/*
 * Files of Rapid7's Sonar (sonar.h). A line of an endpoints file names certificates by SHA-1: those
 * that the store holds are known, so the files of certificates must come before, in this run or an
 * earlier one. An endpoint that names one that is not known is complained of and not taken.
 */
struct import_sonar {
	const char *vantage;
	int64_t time_ms; /* INT64_MIN: by the name of the file */
	uint16_t port;	 /* 0: by the line, or the name of the file */
	/* private: zero-initialise, import_sonar_finish() */
	struct fingerprints *known;
};
int import_sonar(struct store *store, const char *path, struct import_sonar *sonar,
    const struct import_hooks *hooks, struct import_counts *counts, struct err *err);
void import_sonar_finish(struct import_sonar *sonar);

/*
 * Logs of Postfix (postfix_log.h, postfix_join.h): observations without a chain. A stamp of syslog
 * without a year is of the year in which the file begins, and goes on across New Year; without one
 * given, that is the newest in which the file's first stamp is not later than the file's last
 * change, and no stamp is later than that.
 */
struct import_postfix_log {
	const char
	    *vantage;	  /* NULL: the machine that logged, or where it is masked "postfix-log" */
	int year;	  /* 0: guessed */
	struct zone zone; /* of stamps without one */
	int64_t time_ms;  /* of lines without a stamp; INT64_MIN: that of the stamp before, or the
			   * file's last change, or now where it is no file */
	/* set: of what was taken, in all files */
	uint64_t guessed, unstamped; /* lines whose year, or time, is none of the log's */
	int64_t first_ms, last_ms;   /* if there is any */
	bool any;
};
int import_postfix_log(struct store *store, const char *path, struct import_postfix_log *log,
    const struct import_hooks *hooks, struct import_counts *counts, struct err *err);

/* The certificates of a file of PEM, in their order, as what one observation of `series` showed at
 * time_ms (outcome success). sni_sent: as in struct evidence. A file without a certificate, or with
 * one that cannot be read, is complained of and counted as bad. */
int import_pem(struct store *store, const char *path, const struct series *series,
    const char *sni_sent, int64_t time_ms, const struct import_hooks *hooks,
    struct import_counts *counts, struct err *err);

#endif
