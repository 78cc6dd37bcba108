/*
 * out_table: rows under titles, aligned, for people. Rows are gathered first. In a pipe each cell
 * stands whole; on a terminal, where they do not fit into its width, the widest cells are cut (to
 * end in …, or in the middle) down to their columns' least width, then columns are left out that
 * may be, then cells are cut further.
 */
#ifndef MX509_OUT_TABLE_H
#define MX509_OUT_TABLE_H

#include "out_history.h"

#define OUT_TABLE_COLUMNS_MAX 9

struct out_column {
	const char *title;
	unsigned least;	   /* characters that it may be cut down to; 0: is never cut */
	unsigned hard;	   /* cut further, never below this; 0: the same for all */
	unsigned optional; /* may be left out, the highest and then the last first; 0: never */
	bool coloured;	   /* by the row's severity */
	bool middle;	   /* cut there: of an address the end tells most */
};

struct out_table {
	const struct out_column *columns;
	size_t columns_n;
	char **cells; /* escaped; columns_n for each row */
	enum severity *severities;
	size_t n, cap;
	unsigned hidden; /* 1 << column: not shown at any width */
};

void out_table_init(struct out_table *table, const struct out_column *columns, size_t n);
/* Takes the texts of cells[0..columns_n) and clears them. */
void out_table_row(struct out_table *table, enum severity severity, struct buf *cells);
void out_table_print(struct buf *out, const struct out_table *table, const struct out_style *style);
void out_table_finish(struct out_table *table);

/* Columns of the terminal that standard output is; 0 if it is none. */
size_t out_table_width(void);

#endif
