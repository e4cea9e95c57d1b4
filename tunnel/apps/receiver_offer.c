/* What a receiver holds a sender to: what was offered, in the order of a walk. */
#include "apps/receiver_inside.h"
#include "text/text.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH = 64 /* folders that may be open */ };

/* Is it the only thing that was offered, or in it? */
static bool is_named(const struct receiver *r, const struct transfer_entry *entry)
{
    const size_t size = r->offered_name_size;
    const bool only_file = r->offered_files == 1 && r->offered_folders == 0;

    if (r->offered_things > 1)
        return true;
    return entry->path_size >= size && memcmp(entry->path, r->offered_name, size) == 0 &&
           (entry->path_size == size || (entry->path[size] == '/' && !only_file));
}

/* The user has said yes to what was offered, and to no more. */
static bool is_offered(struct receiver *r, const struct transfer_entry *entry)
{
    r->things += r->folder == NULL;
    if (r->things > r->offered_things || !is_named(r, entry))
        return false;
    r->files += entry->kind == TRANSFER_FILE;
    r->folders += entry->kind == TRANSFER_FOLDER;
    if (r->files > r->offered_files || r->folders > r->offered_folders ||
        entry->size > r->offered_octets - r->octets)
        return false;
    r->octets += entry->size;
    return true;
}

/* Is it the end of the innermost folder that is open, or lies in that folder itself? */
static bool is_in_place(const struct receiver *r, const struct transfer_entry *entry)
{
    const struct receiver_folder *folder = r->folder;
    const char *slash = memrchr(entry->path, '/', entry->path_size);
    size_t size = slash != NULL ? (size_t)(slash - entry->path) : 0;

    if (entry->kind == TRANSFER_FOLDER_END)
        size = entry->path_size;
    else if (folder == NULL)
        return slash == NULL;
    return folder != NULL && folder->path_size == size &&
           memcmp(folder->path, entry->path, size) == 0;
}

const char *receiver_judge(struct receiver *r, const struct transfer_entry *entry)
{
    if (!is_in_place(r, entry) || (entry->kind == TRANSFER_FOLDER && r->depth == DEPTH))
        return text("the sender announced something outside the folder that is open");
    if (entry->kind != TRANSFER_FOLDER_END && !is_offered(r, entry))
        return text("the sender has more than it offered, or something else");
    return NULL;
}

bool receiver_open_or_end(struct receiver *r, struct receiver_item *item)
{
    const struct transfer_entry *entry = &item->entry;

    if (entry->kind == TRANSFER_FOLDER) {
        struct receiver_folder *folder = malloc(sizeof *folder + entry->path_size);
        if (folder == NULL)
            return false;
        *folder = (struct receiver_folder){.outer = r->folder, .path_size = entry->path_size};
        memcpy(folder->path, entry->path, entry->path_size);
        item->folder = r->folder = folder;
        r->depth++;
    } else if (entry->kind == TRANSFER_FOLDER_END) {
        item->folder = r->folder;
        r->folder = r->folder->outer;
        r->depth--;
    }
    return true;
}

void receiver_free_folders(struct receiver *r)
{
    while (r->folder != NULL) {
        struct receiver_folder *outer = r->folder->outer;
        free(r->folder);
        r->folder = outer;
    }
}
