/* The mathematics by itself: the several COMP128 against each other and against the vectors. */
#include "algorithms/comp128.h"
#include "evp.h"
#include "vectors.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void check_file(const char *name, comp128_function *function)
{
    struct vector v = {.count = 0};
    FILE *file = vectors_open(name);

    while (vectors_next(file, &v)) {
        unsigned char ki[16], rand[16], sres[4], kc[8], expected[12];

        from_hex(vector_get(&v, "ki"), ki, sizeof(ki));
        from_hex(vector_get(&v, "rand"), rand, sizeof(rand));
        from_hex(vector_get(&v, "sres"), expected, 4);
        from_hex(vector_get(&v, "kc"), expected + 4, 8);
        function(ki, rand, sres, kc);
        same(sres, expected, 4, vector_get(&v, "title"));
        same(kc, expected + 4, 8, vector_get(&v, "title"));
    }
    fclose(file);
}

START_TEST(portable)
{
    check_file("comp128v1.txt", comp128_1_portable);
    check_file("comp128v3.txt", comp128_3_portable);
}
END_TEST

START_TEST(ssse3)
{
    if (!comp128_has_ssse3())
        return;
    check_file("comp128v1.txt", comp128_1_ssse3);
    check_file("comp128v3.txt", comp128_3_ssse3);
}
END_TEST

START_TEST(avx2)
{
    if (comp128_has_avx2())
        check_file("comp128v3.txt", comp128_3_avx2);
}
END_TEST

START_TEST(vbmi)
{
    if (comp128_has_vbmi())
        check_file("comp128v3.txt", comp128_3_vbmi);
}
END_TEST

static void compare(comp128_function *one, comp128_function *other, unsigned count)
{
    unsigned seed = 7;

    for (unsigned n = 0; n < count; n++) {
        unsigned char ki[16], rand[16], a[12], b[12];

        random_octets(&seed, ki, sizeof(ki));
        random_octets(&seed, rand, sizeof(rand));
        one(ki, rand, a, a + 4);
        other(ki, rand, b, b + 4);
        same(a, b, sizeof(a), "SRES and Kc");
    }
}

START_TEST(all_agree)
{
    if (comp128_has_ssse3()) {
        compare(comp128_1_portable, comp128_1_ssse3, 2000);
        compare(comp128_3_portable, comp128_3_ssse3, 1000);
    }
    if (comp128_has_avx2())
        compare(comp128_3_portable, comp128_3_avx2, 1000);
    if (comp128_has_vbmi())
        compare(comp128_3_portable, comp128_3_vbmi, 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider: algorithms");
    TCase *tcase = tcase_create("algorithms");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, portable);
    tcase_add_test(tcase, ssse3);
    tcase_add_test(tcase, avx2);
    tcase_add_test(tcase, vbmi);
    tcase_add_test(tcase, all_agree);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
