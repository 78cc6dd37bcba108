#include "resolver.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unbound.h>

#include "store/base/ip.h"
#include "store/base/mem.h"
#include "store/record/host.h"

#define IANA_ANCHOR "/usr/share/dns/root.key"

struct resolver {
	struct ub_ctx *ub;
	struct loop_watch *watch;
};

/* ---- what is asked, and whom ---------------------------------------------------------------- */

static bool
has_word(const char *line, const char *word)
{
	size_t len = strlen(word);
	const char *at = line;

	while ((at = strcasestr(at, word)) != NULL) {
		if (at > line && strchr(" \t", at[-1]) != NULL && strchr(" \t", at[len]) != NULL)
			return true;
		at += len;
	}
	return false;
}

/* The owner of a zone file's first DS or DNSKEY record, or ERR_INPUT. */
static int
read_anchor_owner(struct resolver_config *config, struct err *err)
{
	char *line = NULL, owner[LIMIT_NAME + 3];
	bool found = false;
	size_t cap = 0;
	FILE *file;
	int rc = 0;

	if ((file = fopen(config->anchor, "re")) == NULL)
		return err_system(err, errno,
		    "cannot open the trust anchor %s (install dns-root-data, or name one with "
		    "--trust-anchor)",
		    config->anchor);
	while (!found && getline(&line, &cap, file) >= 0) {
		found = sscanf(line, "%255[^ \t\r\n;]", owner) == 1 &&
			(has_word(line, "DNSKEY") || has_word(line, "DS"));
	}
	if (found && strcmp(owner, ".") == 0)
		strcpy(config->anchor_owner, ".");
	else if (!found || host_normalise(owner, config->anchor_owner, NULL) != 0)
		rc = err_set(err, ERR_INPUT,
		    "the trust anchor %s has no DS or DNSKEY record in zone file form",
		    config->anchor);
	free(line);
	fclose(file);
	return rc;
}

/* "192.0.2.1", "192.0.2.1@5353", "192.0.2.1:5353", "::1@5353", "[::1]:5353": to what
 * ub_ctx_set_fwd() reads. */
static int
parse_upstream(struct resolver_config *config, const char *text, struct err *err)
{
	char address[IP_TEXT_MAX + 2] = "";
	const char *given = text, *port = "53", *end;
	unsigned long number;
	struct ip ip;
	char *rest;

	if (*text == '[' && (end = strchr(text, ']')) != NULL)
		text++;
	else if ((end = strchr(text, '@')) == NULL && strchr(text, '.') != NULL)
		end = strchr(text, ':');
	if (end == NULL)
		end = text + strlen(text);
	if ((size_t)(end - text) < sizeof(address))
		memcpy(address, text, (size_t)(end - text));
	end += *end == ']';
	if (*end == '@' || *end == ':')
		port = end + 1;
	number = strtoul(port, &rest, 10);
	if (!ip_parse(&ip, address) || *port < '0' || *port > '9' || *rest != '\0' || number < 1 ||
	    number > 65535 || (*end != '\0' && *end != '@' && *end != ':'))
		return err_set(err, ERR_INPUT,
		    "--resolver \"%s\": must be ADDRESS or ADDRESS@PORT, such as 127.0.0.1@5353",
		    given);
	if (asprintf(&config->upstream, "%s@%lu", address, number) < 0)
		config->upstream = NULL;
	return 0;
}

int
resolver_config_init(struct resolver_config *config, const char *upstream, bool recursive,
    const char *anchor, struct err *err)
{
	*config = (struct resolver_config){
	    .recursive = recursive,
	    .anchor = mem_strdup(anchor != NULL ? anchor : IANA_ANCHOR),
	};
	return upstream != NULL ? parse_upstream(config, upstream, err) : 0;
}

void
resolver_config_finish(struct resolver_config *config)
{
	free(config->anchor);
	free(config->upstream);
	*config = (struct resolver_config){0};
}

/* ---- setting up ---------------------------------------------------------------------------- */

static bool
set_options(struct ub_ctx *ub, bool validate)
{
	static const char *const options[][2] = {
	    {"do-not-query-localhost:", "no"}, /* a resolver may well be on this machine */
	    {"outgoing-range:", "4096"},
	    {"num-queries-per-thread:", "2048"},
	    /* A set is verified in its canonical form, each record with the whole name of its
	     * owner: of a message of 64 KiB that may take 1 MiB. What does not fit is bogus. */
	    {"msg-buffer-size:", "1048576"},
	    {"msg-cache-size:", "16m"},
	    {"rrset-cache-size:", "32m"},
	    {"trust-anchor-signaling:", "no"},
	    {"use-syslog:", "no"},
	};
	bool good = validate || ub_ctx_set_option(ub, "module-config:", "iterator") == 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		good &= ub_ctx_set_option(ub, options[i][0], options[i][1]) == 0;
	return good;
}

/* libunbound answers some special-use names by itself (RFC 6761); what stands in a zone of the
 * resolver that we were given counts more. */
static bool
ask_for_special_zones(struct ub_ctx *ub)
{
	static const char *const zones[] = {"test.", "invalid.", "home.arpa."};
	bool good = true;

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		good &= ub_ctx_zone_add(ub, zones[i], "nodefault") == 0;
	return good;
}

static void
on_readable(void *ctx, unsigned events)
{
	struct resolver *resolver = ctx;

	(void)events;
	ub_process(resolver->ub);
}

static int
configure(const struct resolver_config *config, struct ub_ctx *ub, bool validate, struct err *err)
{
	int rc = 0;

	if (!set_options(ub, validate) || ub_ctx_async(ub, 1) != 0)
		return err_set(err, ERR_SYSTEM, "cannot set up libunbound");
	if (validate && (rc = ub_ctx_add_ta_file(ub, config->anchor)) != 0)
		return err_set(err, ERR_INPUT, "the trust anchor %s cannot be used: %s",
		    config->anchor, ub_strerror(rc));
	if (config->upstream != NULL)
		rc = ub_ctx_set_fwd(ub, config->upstream);
	else if (!config->recursive && (rc = ub_ctx_resolvconf(ub, RESOLVER_SYSTEM)) != 0)
		return err_set(err, ERR_INPUT,
		    "%s cannot be read: name a resolver with --resolver, or use --recursive",
		    RESOLVER_SYSTEM);
	if (rc != 0)
		return err_set(
		    err, ERR_INPUT, "--resolver %s: %s", config->upstream, ub_strerror(rc));
	/* This completes the set-up: what cannot be read is found now. */
	if (!ask_for_special_zones(ub))
		return err_set(err, ERR_INPUT,
		    "the trust anchor %s cannot be used: its records are not well-formed",
		    config->anchor);
	return 0;
}

/* All of it, or nothing. */
int
resolver_create(struct resolver **out, struct loop *loop, struct resolver_config *config,
    bool validate, struct err *err)
{
	struct resolver *resolver;
	int rc;

	*out = NULL;
	if (validate && (rc = read_anchor_owner(config, err)) != 0)
		return rc;
	resolver = mem_zero(1, sizeof(*resolver));
	resolver->ub = ub_ctx_create();
	if (resolver->ub == NULL) {
		rc = err_set(err, ERR_SYSTEM, "cannot set up libunbound");
		goto out;
	}
	ub_ctx_debugout(resolver->ub, NULL); /* what it would print stands in our own errors */
	rc = configure(config, resolver->ub, validate, err);
	if (rc != 0)
		goto out;
	resolver->watch = loop_watch_create(loop, ub_fd(resolver->ub), on_readable, resolver, err);
	rc = resolver->watch != NULL ? 0 : err->code;
out:
	if (rc != 0)
		resolver_destroy(resolver);
	else
		*out = resolver;
	return rc;
}

void
resolver_destroy(struct resolver *resolver)
{
	if (resolver == NULL)
		return;
	loop_watch_destroy(resolver->watch);
	if (resolver->ub != NULL)
		ub_ctx_delete(resolver->ub);
	free(resolver);
}

/* ---- questions ----------------------------------------------------------------------------- */

static void
on_result(void *ctx, int code, struct ub_result *r)
{
	struct resolver_question *question = ctx;
	struct resolver_answer answer;

	if (code != 0 || r == NULL) {
		ub_resolve_free(r);
		question->fn(question->ctx, NULL);
		return;
	}
	answer = (struct resolver_answer){
	    .rcode = r->rcode,
	    .secure = r->secure != 0,
	    .bogus = r->bogus != 0,
	    .nxdomain = r->nxdomain != 0,
	    .ttl_s = r->ttl > 0 && !r->bogus ? (uint32_t)r->ttl : 0,
	    .records = r->data,
	    .lens = r->len,
	    .packet = r->answer_packet,
	    .packet_len = r->answer_packet != NULL ? (size_t)r->answer_len : 0,
	};
	while (r->havedata && !r->bogus && r->data[answer.records_n] != NULL)
		answer.records_n++;
	question->fn(question->ctx, &answer);
	ub_resolve_free(r);
}

bool
resolver_ask(struct resolver *resolver, struct resolver_question *question, const char *name,
    uint16_t rrtype)
{
	if (ub_resolve_async(
		resolver->ub, name, rrtype, ns_c_in, question, on_result, &question->id) != 0)
		return false;
	/* libunbound's pipe is there from the first question on. */
	loop_watch_set(resolver->watch, LOOP_READ);
	return true;
}

void
resolver_cancel(struct resolver *resolver, const struct resolver_question *question)
{
	ub_cancel(resolver->ub, question->id);
}
