#include "cli/wiped.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static void *take(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return size > 0 ? malloc(size) : NULL;
}

static void give(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    if (memory == NULL)
        return;
    OPENSSL_cleanse(memory, malloc_usable_size(memory));
    free(memory);
}

/* realloc may move a block, and frees the old place as it is. */
static void *change(void *memory, size_t size, const char *file, int line)
{
    if (memory != NULL && size == 0) {
        give(memory, file, line);
        return NULL;
    }
    void *changed = take(size, file, line);
    if (changed == NULL || memory == NULL)
        return changed;
    size_t before = malloc_usable_size(memory);
    memcpy(changed, memory, before < size ? before : size);
    give(memory, file, line);
    return changed;
}

int wiped_begin(void)
{
    return CRYPTO_set_mem_functions(take, change, give) == 1 ? 0 : -1;
}
