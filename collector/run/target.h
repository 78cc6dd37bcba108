/*
 * target: what the user asks for, one a line (CONTRACT, "mxcollect run"):
 *
 *	example.org			a recipient domain: its MX are looked up
 *	mx:mx1.example.org		an MX host: its addresses are looked up
 *	mx1.example.org@192.0.2.1	a host at an address: nothing is looked up
 *	mx1.example.org@[2001:db8::1]:25
 *	192.0.2.1, mx1.example.org, tag, 25	zgrab2's CSV: IP, DOMAIN, TAG, PORT
 *
 * zgrab2 dials the DOMAIN of a line without IP itself, so that is an MX host here. An IP without
 * DOMAIN, or a prefix of addresses, is none of ours: a series needs the name of its host.
 * "#" begins a comment. A pure parser; which ports and families are wanted is not asked here.
 */
#ifndef MX509_TARGET_H
#define MX509_TARGET_H

#include "store/record/observation.h"

enum target_kind { TARGET_DOMAIN, TARGET_MX, TARGET_ADDRESS };

struct target {
	enum target_kind kind;
	char name[LIMIT_NAME + 1]; /* of the domain or host, normalised */
	struct ip address;	   /* TARGET_ADDRESS */
	uint16_t port;		   /* 0: the run's */
};

/* 1: a target; 0: an empty line or a comment; ERR_INPUT: err says what is wrong with the line
 * (and not which line it is: the caller knows its number). Any octets may stand in it. */
int target_parse(struct target *target, const char *line, size_t len, struct err *err);

#endif
