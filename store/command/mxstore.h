/*
 * mxstore: the commands of mxstore(1), one file each; mxstore.c chooses. Each gets its own words
 * (argv[0] is the last word of its name) and returns the exit status.
 */
#ifndef MX509_MXSTORE_H
#define MX509_MXSTORE_H

#include "store/base/options.h"
#include "store/corpus/store.h"

#define MXSTORE "mxstore"

int mxstore_stat(int argc, char **argv);
int mxstore_check(int argc, char **argv);
int mxstore_export_pem(int argc, char **argv);
int mxstore_export_jsonl(int argc, char **argv);
int mxstore_export_csv(int argc, char **argv);
int mxstore_import_jsonl(int argc, char **argv);
int mxstore_import_pem(int argc, char **argv);
int mxstore_import_zgrab2(int argc, char **argv);
int mxstore_import_sonar(int argc, char **argv);
int mxstore_import_postfix_log(int argc, char **argv);
int mxstore_merge(int argc, char **argv);
int mxstore_backup(int argc, char **argv);
int mxstore_compact(int argc, char **argv);
int mxstore_prune(int argc, char **argv);
int mxstore_delete(int argc, char **argv);

struct mxstore_usage {
	const char *synopsis; /* "check [OPTION…]" */
	const char *text;
	bool operands; /* whether it takes any */
};

/* Parses a command's words; false: *status is what to return (help, version, a usage error). */
bool mxstore_parse(struct options *o, const struct option_row *rows,
    const struct mxstore_usage *usage, int argc, char **argv, int *status);

/* Finds the directory and opens the store; EXIT_DONE, or EXIT_TROUBLE after a line. */
int mxstore_open(const struct options *o, enum store_mode mode, struct store **store);

/* The same for writing (STORE_WRITE, STORE_MEND), but makes none where there is none. */
int mxstore_open_there(const struct options *o, enum store_mode mode, struct store **store);

/* --sni V[,V…] to bits 1 << enum sni; a word that is none of the variants is refused. */
int mxstore_parse_sni(const char *text, unsigned *sni, struct err *err);

#endif
