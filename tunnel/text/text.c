#include "text/text.h"

#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *english_of_errno(int error)
{
    const char *english = strerrordesc_np(error);

    return english != NULL ? english : "unknown error";
}

#ifdef USI_CATALOGUES
#include <libintl.h>

static const char domain[] = "usi-tunnel";

/* A folder of catalogues, relative to the program's own; whether it is there. */
static int bind_folder(const char *program, const char *relative)
{
    char folder[PATH_MAX];
    int length = snprintf(folder, sizeof folder, "%s/%s", program, relative);

    return length > 0 && (size_t)length < sizeof folder && access(folder, X_OK) == 0 &&
           bindtextdomain(domain, folder) != NULL;
}

static void find_catalogues(void)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    if (length <= 0)
        return;
    program[length] = '\0';
    *strrchr(program, '/') = '\0'; /* the kernel's links are absolute */
    /* What a program says goes to stderr as octets: they must be of the terminal's character set,
     * which is what gettext gives by default (a letter that it lacks becomes a like one or a
     * question mark), and which say() then takes for characters. */
    if (bind_folder(program, "locale") || bind_folder(program, USI_LOCALE_FROM_BIN))
        (void)textdomain(domain);
}

const char *text(const char *english)
{
    return *english != '\0' ? gettext(english) : english; /* the empty one is the head's key */
}

const char *text_of(const char *one, const char *several, unsigned long number)
{
    return ngettext(one, several, number);
}

const char *text_of_errno(int error)
{
    bool translated = *gettext("") != '\0'; /* the head, if there is a catalogue */
    const char *english = english_of_errno(error);

    return translated ? dgettext("libc", english) : english;
}

#else

static void find_catalogues(void)
{
}

const char *text(const char *english)
{
    return english;
}

const char *text_of(const char *one, const char *several, unsigned long number)
{
    return number == 1 ? one : several;
}

const char *text_of_errno(int error)
{
    return english_of_errno(error);
}

#endif

void text_begin(void)
{
    /* Without the locale that the environment names, all stays as in C. */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there are no other threads yet */
    if (setlocale(LC_CTYPE, "") == NULL || setlocale(LC_MESSAGES, "") == NULL)
        return;
    find_catalogues();
}

bool text_is_utf8(void)
{
    const char *set = nl_langinfo(CODESET); /* NOLINT(concurrency-mt-unsafe): nobody changes it */

    return strcmp(set, "UTF-8") == 0 || strcmp(set, "ANSI_X3.4-1968") == 0;
}
