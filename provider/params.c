#include "params.h"

#include "errors.h"
#include "provider.h"
#include "usi/names.h"

#include <openssl/crypto.h>
#include <openssl/params.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

bool octets_set(struct octets *octets, const void *data, size_t size)
{
    unsigned char *room = octets->small;

    if (size > sizeof(octets->small)) {
        room = OPENSSL_secure_malloc(size);
        if (room == NULL)
            return false;
    }
    octets_clear(octets);
    if (size > 0)
        memcpy(room, data, size);
    octets->data = room;
    octets->size = size;
    return true;
}

bool octets_dup(struct octets *octets, const struct octets *from)
{
    memset(octets, 0, sizeof(*octets));
    return from->data == NULL || octets_set(octets, from->data, from->size);
}

void octets_clear(struct octets *octets)
{
    if (octets->data == NULL)
        return;
    if (octets->data != octets->small)
        OPENSSL_secure_clear_free(octets->data, octets->size);
    OPENSSL_cleanse(octets, sizeof(*octets));
}

static size_t range_next(const struct range *range, size_t number)
{
    return range->step == 0 ? number * 2 : number + range->step;
}

bool range_has(const struct range *range, size_t number)
{
    size_t doubled = range->min;

    if (number < range->min || number > range->max)
        return false;
    if (range->step != 0)
        return (number - range->min) % range->step == 0;
    while (doubled != 0 && doubled < number)
        doubled *= 2;
    return doubled == number;
}

void range_describe(const struct range *range, char *text, size_t size)
{
    size_t number = range->min, count = 1, used = 0;

    while (count <= 4 && number < range->max) {
        number = range_next(range, number);
        count++;
    }
    if (range->max == SIZE_MAX)
        snprintf(text, size, "%zu or more", range->min);
    else if (count > 4)
        snprintf(text, size, "%zu to %zu", range->min, range->max);
    for (number = range->min; count <= 4 && count > 0 && used < size; count--) {
        int wrote = snprintf(text + used, size - used, "%zu%s", number,
                             count > 2    ? ", "
                             : count == 2 ? " or "
                                          : "");
        if (wrote < 0)
            return;
        used += (size_t)wrote;
        number = range_next(range, number);
    }
}

static void *field(const struct param_rule *rule, void *settings)
{
    return (unsigned char *)settings + rule->offset;
}

static size_t find_rule(const struct param_rule *rules, const char *name)
{
    size_t i;

    for (i = 0; rules[i].name != NULL; i++)
        if (rules[i].name[0] == name[0] && strcmp(rules[i].name, name) == 0)
            break;
    return i;
}

static bool wrong_type(const struct provider *provider, const char *name, const char *expected)
{
    errors_raise(provider, ERROR_WRONG_TYPE, "%s: %s expected", name, expected);
    return false;
}

static bool check_octets(const struct provider *provider, const struct param_rule *rule,
                         const OSSL_PARAM *param)
{
    char sizes[80];

    if (param->data_type != OSSL_PARAM_OCTET_STRING ||
        (param->data == NULL && param->data_size > 0))
        return wrong_type(provider, rule->name, "an octet string");
    if (range_has(&rule->range, param->data_size))
        return true;
    range_describe(&rule->range, sizes, sizeof(sizes));
    errors_raise(provider, ERROR_WRONG_SIZE, "%s: expected %s octets, got %zu", rule->name, sizes,
                 param->data_size);
    return false;
}

static bool check_number(const struct provider *provider, const struct param_rule *rule,
                         const OSSL_PARAM *param, size_t *number)
{
    char values[80];
    bool known;

    if ((param->data_type != OSSL_PARAM_INTEGER &&
         param->data_type != OSSL_PARAM_UNSIGNED_INTEGER) ||
        param->data == NULL)
        return wrong_type(provider, rule->name, "an integer");
    known = OSSL_PARAM_get_size_t(param, number);
    if (known && range_has(&rule->range, *number))
        return true;
    range_describe(&rule->range, values, sizeof(values));
    if (known)
        errors_raise(provider, ERROR_WRONG_VALUE, "%s: expected %s, got %zu", rule->name, values,
                     *number);
    else
        errors_raise(provider, ERROR_WRONG_VALUE,
                     "%s: expected %s, got a negative or too large number", rule->name, values);
    return false;
}

/* The names in words, with commas; cut at size. */
static void list_words(const char *const *words, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; words[i] != NULL && used < size; i++) {
        int wrote = snprintf(text + used, size - used, "%s%s", i == 0 ? "" : ", ", words[i]);
        if (wrote < 0)
            return;
        used += (size_t)wrote;
    }
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Whatever the locale, and whatever the case, as with OpenSSL's own names. */
static bool is_word(const char *word, const char *got, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (lower(word[i]) != lower(got[i]))
            return false;
    return word[length] == '\0';
}

static bool check_word(const struct provider *provider, const struct param_rule *rule,
                       const OSSL_PARAM *param, size_t *index)
{
    char known[160], got[33];
    size_t length;

    if (param->data_type != OSSL_PARAM_UTF8_STRING || param->data == NULL)
        return wrong_type(provider, rule->name, "a UTF-8 string");
    /* data_size may count the terminating NUL or not */
    length = strnlen(param->data, param->data_size);
    for (*index = 1; rule->words[*index - 1] != NULL; ++*index) {
        const char *word = rule->words[*index - 1];
        if (is_word(word, param->data, length))
            return true;
    }
    /* the value is a stranger's: only its printable ASCII, and not much of it, goes into a message
     */
    if (length >= sizeof(got))
        length = sizeof(got) - 1;
    for (size_t i = 0; i < length; i++) {
        char c = ((const char *)param->data)[i];
        got[i] = (char)(c >= ' ' && c <= '~' ? c : '?');
    }
    got[length] = '\0';
    list_words(rule->words, known, sizeof(known));
    errors_raise(provider, ERROR_UNKNOWN_NAME, "%s: expected one of %s, got \"%s\"", rule->name,
                 known, got);
    return false;
}

static bool check(const struct provider *provider, const struct param_rule *rule,
                  const OSSL_PARAM *param, size_t *number)
{
    switch (rule->kind) {
    case PARAM_OCTETS:
        return check_octets(provider, rule, param);
    case PARAM_NUMBER:
        return check_number(provider, rule, param, number);
    case PARAM_WORD:
        return check_word(provider, rule, param, number);
    }
    return false;
}

static bool check_groups(const struct provider *provider, const struct param_rule *rules,
                         const OSSL_PARAM *const *found)
{
    for (size_t i = 0; rules[i].name != NULL; i++)
        for (size_t j = i + 1; found[i] != NULL && rules[i].group != 0 && rules[j].name != NULL;
             j++)
            if (found[j] != NULL && rules[i].group == rules[j].group) {
                errors_raise(provider, ERROR_CONFLICTING_PARAMETERS, "%s and %s: give one of them",
                             rules[i].name, rules[j].name);
                return false;
            }
    return true;
}

static void clear_group(const struct param_rule *rules, void *settings, unsigned group)
{
    for (size_t i = 0; group != 0 && rules[i].name != NULL; i++)
        if (rules[i].group == group && rules[i].kind == PARAM_OCTETS)
            octets_clear(field(&rules[i], settings));
}

static bool store(const struct param_rule *rules, size_t chosen, void *settings,
                  const OSSL_PARAM *param, size_t number)
{
    const struct param_rule *rule = &rules[chosen];

    switch (rule->kind) {
    case PARAM_OCTETS:
        clear_group(rules, settings, rule->group);
        return octets_set(field(rule, settings), param->data, param->data_size);
    case PARAM_NUMBER:
        *(size_t *)field(rule, settings) = number;
        return true;
    case PARAM_WORD:
        *(unsigned *)field(rule, settings) = (unsigned)number;
        return true;
    }
    return false;
}

bool params_set(const struct provider *provider, const struct param_rule *rules, void *settings,
                const OSSL_PARAM params[])
{
    const OSSL_PARAM *found[PARAMS_MAX] = {NULL};
    size_t numbers[PARAMS_MAX] = {0};

    for (; params != NULL && params->key != NULL; params++) {
        size_t i = find_rule(rules, params->key);
        if (rules[i].name == NULL)
            continue;
        if (found[i] != NULL) {
            errors_raise(provider, ERROR_REPEATED_PARAMETER, "%s: give it once", rules[i].name);
            return false;
        }
        found[i] = params;
        if (!check(provider, &rules[i], params, &numbers[i]))
            return false;
    }
    if (!check_groups(provider, rules, found))
        return false;
    for (size_t i = 0; rules[i].name != NULL; i++)
        if (found[i] != NULL && !store(rules, i, settings, found[i], numbers[i])) {
            errors_raise(provider, ERROR_OUT_OF_MEMORY, "%s: %zu octets", rules[i].name,
                         found[i]->data_size);
            return false;
        }
    return true;
}

const char *params_other(const struct param_rule *rules, const OSSL_PARAM params[], const char *but)
{
    for (; params != NULL && params->key != NULL; params++)
        if (strcmp(params->key, but) != 0 && rules[find_rule(rules, params->key)].name != NULL)
            return params->key;
    return NULL;
}

void params_clear(const struct param_rule *rules, void *settings)
{
    for (; rules->name != NULL; rules++)
        if (rules->kind == PARAM_OCTETS)
            octets_clear(field(rules, settings));
        else if (rules->kind == PARAM_NUMBER)
            *(size_t *)field(rules, settings) = 0;
        else
            *(unsigned *)field(rules, settings) = 0;
}

bool params_dup(const struct param_rule *rules, void *settings, const void *from)
{
    bool ok = true;

    for (const struct param_rule *rule = rules; rule->name != NULL; rule++)
        if (rule->kind == PARAM_OCTETS)
            ok &= octets_dup(field(rule, settings),
                             (const void *)((const unsigned char *)from + rule->offset));
    if (!ok)
        params_clear(rules, settings);
    return ok;
}

bool params_require(const struct provider *provider, const char *name, const struct octets *octets,
                    const struct range *sizes)
{
    char text[80];

    if (octets->data != NULL && range_has(sizes, octets->size))
        return true;
    range_describe(sizes, text, sizeof(text));
    if (octets->data == NULL)
        errors_raise(provider, ERROR_MISSING_PARAMETER, "%s: expected %s octets, got nothing", name,
                     text);
    else
        errors_raise(provider, ERROR_WRONG_SIZE, "%s: expected %s octets, got %zu", name, text,
                     octets->size);
    return false;
}

bool params_answer(OSSL_PARAM params[], size_t size, const char *algorithm)
{
    OSSL_PARAM *param = OSSL_PARAM_locate(params, USI_PARAM_SIZE);

    if (param != NULL && !OSSL_PARAM_set_size_t(param, size))
        return false;
    param = algorithm == NULL ? NULL : OSSL_PARAM_locate(params, USI_PARAM_ALGORITHM);
    return param == NULL || OSSL_PARAM_set_utf8_string(param, algorithm);
}
