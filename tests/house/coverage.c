/* Linked into programs with USI_COVERAGE, by --wrap: an end by a signal or by _exit skips exit's
 * handlers, and so gcov's. What was counted is written before. */
#include <unistd.h>

void __gcov_dump(void);
_Noreturn void __real__exit(int status);
int __real_raise(int number);
_Noreturn void __wrap__exit(int status);
int __wrap_raise(int number);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}

int __wrap_raise(int number)
{
    __gcov_dump();
    return __real_raise(number);
}
