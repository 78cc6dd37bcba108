/* Libraries that are loaded late are those whose headers we were compiled with, and work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <expat.h>
#include <idn2.h>
#include <libpsl.h>
#include <openssl/ssl.h>

#include "store/base/late.h"
#include "store/record/host.h"
#include "store/record/operator.h"

/* This program is linked with the libraries that the linker takes by the headers' side, and has
 * loaded them: under the name that it found in them. */
static void
test_the_names_are_those_the_linker_takes(void **state)
{
	static const struct late libraries[] = {
	    LATE_LIBEXPAT, LATE_LIBIDN2, LATE_LIBPSL, LATE_LIBSSL};
	const void *used[] = {XML_ParserCreate, idn2_to_ascii_8z, psl_builtin, SSL_new};

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		void *handle = dlopen(libraries[i].soname, RTLD_NOW | RTLD_NOLOAD);

		assert_non_null(used[i]);
		if (handle == NULL)
			fail_msg("%s is not what the linker takes", libraries[i].soname);
		dlclose(handle);
	}
}

static void
test_functions_are_found_once_it_is_loaded(void **state)
{
	static struct late expat = LATE_LIBEXPAT;

	assert_null(expat.handle);
	assert_ptr_equal(LATE(expat, XML_ExpatVersion), XML_ExpatVersion);
	assert_non_null(expat.handle);
	assert_string_equal(LATE(expat, XML_ExpatVersion)(), XML_ExpatVersion());
}

static void
test_names_and_operators(void **state)
{
	char name[LIMIT_NAME + 1];

	assert_int_equal(host_normalise("B\xc3\xbc"
					"cher.example",
			     name, NULL),
	    0);
	assert_string_equal(name, "xn--bcher-kva.example");
	operator_of_host("mx.mail.example.co.uk", name);
	assert_string_equal(name, "example.co.uk");
	operator_of_host("co.uk", name);
	assert_string_equal(name, "co.uk");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_names_are_those_the_linker_takes),
	    cmocka_unit_test(test_functions_are_found_once_it_is_loaded),
	    cmocka_unit_test(test_names_and_operators),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
