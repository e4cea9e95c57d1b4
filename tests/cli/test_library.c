#include "cli/library.h"

#include <check.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ctest sets OPENSSL_MODULES to the build folder, where usi.so is. */

START_TEST(usi_and_default_are_loaded)
{
    char why[1024] = "";
    struct library *library = library_new(NULL, 0, NULL, why, sizeof why);
    OSSL_LIB_CTX *context;
    EVP_MD *digest;

    ck_assert_msg(library != NULL, "%s", why);
    context = library_context(library);
    ck_assert_ptr_nonnull(context);
    ck_assert_int_eq(OSSL_PROVIDER_available(context, "usi"), 1);
    ck_assert_int_eq(OSSL_PROVIDER_available(context, "default"), 1);
    ck_assert_int_eq(OSSL_PROVIDER_available(NULL, "usi"), 0);
    digest = EVP_MD_fetch(context, "SHA256", NULL);
    ck_assert_ptr_nonnull(digest);
    EVP_MD_free(digest);
    library_free(library);
    library_free(NULL);
}
END_TEST

START_TEST(names_are_loaded_once)
{
    static const char *const names[] = {"usi", "base", "default", "base", "usi"};
    char why[1024] = "";
    struct library *library = library_new(names, 5, NULL, why, sizeof why);

    ck_assert_msg(library != NULL, "%s", why);
    ck_assert_int_eq(OSSL_PROVIDER_available(library_context(library), "base"), 1);
    library_free(library);
}
END_TEST

START_TEST(two_libraries_live_apart)
{
    static const char *const names[] = {"base"};
    char why[1024] = "";
    struct library *one = library_new(names, 1, NULL, why, sizeof why);
    struct library *two = library_new(NULL, 0, NULL, why, sizeof why);

    ck_assert_msg(one != NULL && two != NULL, "%s", why);
    library_free(one);
    ck_assert_int_eq(OSSL_PROVIDER_available(library_context(two), "base"), 0);
    ck_assert_int_eq(OSSL_PROVIDER_available(library_context(two), "usi"), 1);
    library_free(two);
}
END_TEST

START_TEST(path_is_looked_into_first)
{
    const char *modules = getenv("OPENSSL_MODULES");
    char why[1024] = "";
    struct library *library;

    ck_assert_ptr_nonnull(modules);
    library = library_new(NULL, 0, modules, why, sizeof why);
    ck_assert_msg(library != NULL, "%s", why);
    library_free(library);
}
END_TEST

START_TEST(missing_module_is_told_with_its_folders)
{
    static const char *const names[] = {"no-such-provider"};
    const char *modules = getenv("OPENSSL_MODULES");
    char why[2048] = "";

    ck_assert_ptr_nonnull(modules);
    ck_assert_ptr_null(library_new(names, 1, "/no/such/folder", why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "\"no-such-provider\""));
    ck_assert_ptr_nonnull(strstr(why, "/no/such/folder"));
    ck_assert_ptr_nonnull(strstr(why, modules));
    ck_assert_ptr_nonnull(strstr(why, OPENSSL_info(OPENSSL_INFO_MODULES_DIR)));
    ck_assert_ptr_null(strchr(why, '\n'));
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* A module that is found and cannot be loaded is an error: no other one is taken in its place. */
START_TEST(broken_module_is_told)
{
    char folder[] = "/tmp/usi-library-XXXXXX", name[64], why[1024] = "";
    FILE *file;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(name, sizeof name, "%s/usi.so", folder);
    file = fopen(name, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs("not a shared object, but long enough to be one\n", file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_ptr_null(library_new(NULL, 0, folder, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "\"usi\""));
    ck_assert_ptr_nonnull(strstr(why, folder));
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ck_assert_int_eq(unlink(name), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(names_are_no_paths)
{
    static const char *const names[] = {"", "../usi", "/usi", "a/b"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char why[1024] = "";
        ck_assert_ptr_null(library_new(&names[i], 1, NULL, why, sizeof why));
        ck_assert_ptr_nonnull(strstr(why, "not the name of a provider"));
    }
}
END_TEST

START_TEST(lines_are_bounded)
{
    static const char *const names[] = {"no-such-provider"};
    char why[60], path[6000];

    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    memset(why, '!', sizeof why);
    ck_assert_ptr_null(library_new(names, 1, path, why, sizeof why));
    ck_assert_ptr_nonnull(memchr(why, '\0', sizeof why));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("library");
    TCase *tests = tcase_create("providers");
    SRunner *runner;
    int failed;

    tcase_add_test(tests, usi_and_default_are_loaded);
    tcase_add_test(tests, names_are_loaded_once);
    tcase_add_test(tests, two_libraries_live_apart);
    tcase_add_test(tests, path_is_looked_into_first);
    tcase_add_test(tests, missing_module_is_told_with_its_folders);
    tcase_add_test(tests, broken_module_is_told);
    tcase_add_test(tests, names_are_no_paths);
    tcase_add_test(tests, lines_are_bounded);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
