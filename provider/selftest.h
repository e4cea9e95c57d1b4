/* Known answers, one for each algorithm, run on demand (OSSL_PROVIDER_self_test). */
#ifndef PROVIDER_SELFTEST_H
#define PROVIDER_SELFTEST_H

#include <stdbool.h>

struct provider;

/* Runs them all; the first wrong one is on the error stack. Reports to the OSSL_SELF_TEST callback.
 */
bool selftest_run(const struct provider *provider);

#endif
