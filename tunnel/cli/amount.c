#include "cli/amount.h"

#include "text/text.h"

#include <inttypes.h>
#include <stdio.h>

void amount_octets(char *line, uint64_t octets)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)octets;
    int unit = -1;

    for (; value >= 1023.95 && unit + 1 < (int)(sizeof units / sizeof units[0]); unit++)
        value /= 1024;
    if (unit < 0)
        (void)snprintf(line, AMOUNT_TEXT, "%" PRIu64 " B", octets);
    else
        (void)snprintf(line, AMOUNT_TEXT, "%.1f %s", value, units[unit]);
}

void amount_files(char *line, uint64_t files)
{
    (void)snprintf(line, AMOUNT_TEXT, text_of("%" PRIu64 " file", "%" PRIu64 " files", files),
                   files);
}

void amount_folders(char *line, uint64_t folders)
{
    (void)snprintf(line, AMOUNT_TEXT, text_of("%" PRIu64 " folder", "%" PRIu64 " folders", folders),
                   folders);
}

void amount_seconds(char *line, uint64_t seconds)
{
    if (seconds < 3600)
        (void)snprintf(line, AMOUNT_TEXT, "%u:%02u", (unsigned)(seconds / 60),
                       (unsigned)(seconds % 60));
    else if (seconds < 360000)
        (void)snprintf(line, AMOUNT_TEXT, "%u:%02u:%02u", (unsigned)(seconds / 3600),
                       (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
    else
        (void)snprintf(line, AMOUNT_TEXT, "--");
}
