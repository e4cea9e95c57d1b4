#include "errors.h"

#include "provider.h"

#include <stdarg.h>
#include <stdint.h>

/* OSSL_ITEM has no const, which the texts deserve. */
#define TEXT(text) ((void *)(uintptr_t)(text))

static const OSSL_ITEM reasons[] = {
    {ERROR_MISSING_PARAMETER, TEXT("missing parameter")},
    {ERROR_REPEATED_PARAMETER, TEXT("parameter given twice")},
    {ERROR_CONFLICTING_PARAMETERS, TEXT("parameters exclude each other")},
    {ERROR_WRONG_TYPE, TEXT("wrong parameter type")},
    {ERROR_WRONG_SIZE, TEXT("wrong parameter size")},
    {ERROR_WRONG_VALUE, TEXT("wrong parameter value")},
    {ERROR_UNKNOWN_NAME, TEXT("unknown name")},
    {ERROR_WRONG_OUTPUT_SIZE, TEXT("wrong output size")},
    {ERROR_NOT_INITIALISED, TEXT("not initialised")},
    {ERROR_TOO_LATE, TEXT("too late to change")},
    {ERROR_MAC_MISMATCH, TEXT("MAC mismatch")},
    {ERROR_OUT_OF_MEMORY, TEXT("out of memory")},
    {ERROR_INTERNAL, TEXT("internal error")},
    {ERROR_SELF_TEST, TEXT("self-test failed")},
    {0, NULL},
};

const OSSL_ITEM *errors_reasons(void)
{
    return reasons;
}

void errors_raise_at(const struct provider *provider, const char *file, int line,
                     const char *function, enum error_reason reason, const char *format, ...)
{
    va_list arguments;

    if (provider->new_error == NULL || provider->set_error_debug == NULL ||
        provider->vset_error == NULL)
        return;
    va_start(arguments, format);
    provider->new_error(provider->handle);
    provider->set_error_debug(provider->handle, file, line, function);
    provider->vset_error(provider->handle, (uint32_t)reason, format, arguments);
    va_end(arguments);
}
