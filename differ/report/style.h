/*
 * style: how a report looks: light or dark as the reader's system is, narrow or wide, and on paper.
 * Severity is said in words as well as in colour; every colour of text has a contrast of at least
 * 4.5 : 1 to what is behind it (WCAG 2.1, 1.4.3).
 */
#ifndef MX509_STYLE_H
#define MX509_STYLE_H

extern const char style_sheet[]; /* CSS */

#endif
