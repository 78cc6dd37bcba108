/*
 * dice: numbers that nobody can foresee well enough to mind, for the order of things (xorshift64*,
 * Vigna 2016). Not for secrets.
 */
#ifndef MX509_DICE_H
#define MX509_DICE_H

#include <stddef.h>
#include <stdint.h>

struct dice {
	uint64_t state; /* not 0 */
};

/* From the system's random numbers. */
void dice_init(struct dice *dice);

/* 0 to n-1; n: 1 to 2³². */
static inline size_t
dice_below(struct dice *dice, size_t n)
{
	dice->state ^= dice->state >> 12;
	dice->state ^= dice->state << 25;
	dice->state ^= dice->state >> 27;
	return (size_t)((dice->state * UINT64_C(0x2545f4914f6cdd1d) >> 32) * n >> 32);
}

#endif
