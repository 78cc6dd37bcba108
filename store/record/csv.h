/*
 * csv: observations as rows for a spreadsheet (RFC 4180, but for LF at the end of a row): the
 * members of CONTRACT's observation in their order, under a heading. What is null is empty; the
 * elements of a list are parted by "; ", the certificates of a chain by a space; `chain` is
 * preceded by its id and its length. Cells are escaped and defused by text_csv(). Nothing reads it
 * back: JSON lines are for that.
 */
#ifndef MX509_CSV_H
#define MX509_CSV_H

#include "observation.h"

void csv_heading(struct buf *out);
void csv_observation(struct buf *out, const struct series *s, const struct observation *o);

#endif
