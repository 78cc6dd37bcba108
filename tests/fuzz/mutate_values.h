/* mutate_values: contents that readers of certificates look for, or stumble over. */
#ifndef MX509_FUZZ_MUTATE_VALUES_H
#define MX509_FUZZ_MUTATE_VALUES_H

#include <stddef.h>

struct mutate_value {
	const char *p;
	size_t len;
};

#define VALUE(octets)                       \
	{                                   \
		octets, sizeof(octets) - 1, \
	}

static const struct mutate_value mutate_values[] = {
    /* extensions: RFC 5280 4.2, RFC 6962, RFC 7633, RFC 3739 */
    VALUE("\x55\x1d\x09"),
    VALUE("\x55\x1d\x0e"),
    VALUE("\x55\x1d\x0f"),
    VALUE("\x55\x1d\x11"),
    VALUE("\x55\x1d\x12"),
    VALUE("\x55\x1d\x13"),
    VALUE("\x55\x1d\x1e"),
    VALUE("\x55\x1d\x1f"),
    VALUE("\x55\x1d\x20"),
    VALUE("\x55\x1d\x21"),
    VALUE("\x55\x1d\x23"),
    VALUE("\x55\x1d\x24"),
    VALUE("\x55\x1d\x25"),
    VALUE("\x55\x1d\x2e"),
    VALUE("\x55\x1d\x36"),
    VALUE("\x2b\x06\x01\x05\x05\x07\x01\x01"),
    VALUE("\x2b\x06\x01\x05\x05\x07\x01\x03"),
    VALUE("\x2b\x06\x01\x05\x05\x07\x01\x0b"),
    VALUE("\x2b\x06\x01\x05\x05\x07\x01\x18"),
    VALUE("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02"),
    VALUE("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03"),
    /* policies' qualifiers, access methods, key purposes */
    VALUE("\x2b\x06\x01\x05\x05\x07\x02\x01"),
    VALUE("\x2b\x06\x01\x05\x05\x07\x02\x02"),
    VALUE("\x2b\x06\x01\x05\x05\x07\x30\x01"),
    VALUE("\x2b\x06\x01\x05\x05\x07\x30\x02"),
    VALUE("\x2b\x06\x01\x05\x05\x07\x03\x01"),
    VALUE("\x55\x1d\x25\x00"),
    /* attributes; one whose arc is too long for a number */
    VALUE("\x55\x04\x03"),
    VALUE("\x55\x04\x0a"),
    VALUE("\x55\x04\x2d"),
    VALUE("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"),
    VALUE("\x69\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    VALUE("\x55\x80\x03"),
    /* algorithms and curves: RFC 3279, 4055, 5480, 8410, 9881 */
    VALUE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"),
    VALUE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"),
    VALUE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"),
    VALUE("\x2a\x86\x48\xce\x3d\x02\x01"),
    VALUE("\x2a\x86\x48\xce\x38\x04\x01"),
    VALUE("\x2a\x86\x48\xce\x3e\x02\x01"),
    VALUE("\x2b\x65\x70"),
    VALUE("\x60\x86\x48\x01\x65\x03\x04\x03\x12"),
    VALUE("\x2b\x0e\x03\x02\x1a"),
    VALUE("\x60\x86\x48\x01\x65\x03\x04\x02\x01"),
    VALUE("\x2a\x86\x48\xce\x3d\x03\x01\x07"),
    /* times */
    VALUE("491231235959Z"),
    VALUE("500101000000Z"),
    VALUE("99991231235959Z"),
    VALUE("00000101000000Z"),
    VALUE("20230229000000Z"),
    VALUE("230101000000+0100"),
    VALUE("20230101000000.5Z"),
    VALUE("2301010000Z"),
    VALUE("230101000060Z"),
    /* numbers, booleans, bits */
    VALUE(""),
    VALUE("\0"),
    VALUE("\x01"),
    VALUE("\xff"),
    VALUE("\0\0"),
    VALUE("\0\x80"),
    VALUE("\xff\x80"),
    VALUE("\x80\0\0\0\0\0\0\0"),
    VALUE("\x7f\xff\xff\xff\xff\xff\xff\xff"),
    VALUE("\x07\x80"),
    VALUE("\x07\xff"),
    VALUE("\x08\0"),
    VALUE("\0\xff\xff\xff\xff\xff"),
    VALUE("\x05\xa0"),
    /* texts: ends, escapes, controls, UTF-8 of all lengths and none, UTF-16 and halves of it */
    VALUE(" a "),
    VALUE("#"),
    VALUE("#a"),
    VALUE("a,b+c\"d\\e<f>g;h=i"),
    VALUE("a\nb\r\t\x7f"),
    VALUE("\xc3\xa9"),
    VALUE("\xe2\x82\xac"),
    VALUE("\xf0\x9f\x98\x80"),
    VALUE("\xed\xa0\x80"),
    VALUE("\xc0\x80"),
    VALUE("\xf4\x90\x80\x80"),
    VALUE("\xd8\x3d\xde\0"),
    VALUE("\xde\0\xd8\x3d"),
    VALUE("\0\x01\xf6\0"),
    VALUE("xn--bcher-kva.example"),
    VALUE("\xe2\x80\xae"),
    VALUE("\x7f\0\0\x01"),
    VALUE("\x7f\0\0\x01\xff\0\0\0"),
};

#undef VALUE

#endif
