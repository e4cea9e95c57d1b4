#include "receive.h"

#include "tree.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct inbox *receive_inbox(bool overwrite)
{
    char why[512] = "";
    struct inbox *inbox = inbox_new(tree_path("root"), overwrite, tree_sha256(), why, sizeof why);

    ck_assert_msg(inbox != NULL, "%s", why);
    return inbox;
}

struct transfer_entry receive_entry(const char *path, uint64_t size)
{
    return (struct transfer_entry){.kind = TRANSFER_FILE,
                                   .mode = 0644,
                                   .mtime = SOME_TIME,
                                   .mtime_ns = SOME_NS,
                                   .size = size,
                                   .path = path,
                                   .path_size = strlen(path)};
}

struct inbox_file *receive_look(struct inbox *inbox, const struct transfer_entry *entry,
                                struct inbox_answer *answer)
{
    struct inbox_file *file = inbox_entry(inbox, entry, answer);

    while (answer->what == INBOX_LOOKING)
        inbox_file_look(file, answer);
    if (answer->what == INBOX_SKIP) {
        inbox_file_free(file);
        return NULL;
    }
    ck_assert_ptr_nonnull(file);
    return file;
}

enum transfer_reason receive_rest(struct inbox_file *file, const struct transfer_entry *entry,
                                  const uint8_t *octets, uint64_t from, char text[TRANSFER_TEXT])
{
    uint8_t hash[TREE_HASH];
    enum transfer_reason reason = inbox_file_begin(file, from);

    for (uint64_t at = from, size; reason == TRANSFER_KEPT && at < entry->size; at += size) {
        size = entry->size - at < 65528 ? entry->size - at : 65528;
        ck_assert_uint_eq(inbox_file_offset(file), at);
        reason = inbox_file_write(file, octets + at, (size_t)size);
    }
    if (reason == TRANSFER_KEPT) {
        tree_hash(octets, (size_t)entry->size, hash);
        reason = inbox_file_keep(file, entry->size, entry->mtime, entry->mtime_ns, hash);
    }
    if (text != NULL)
        (void)snprintf(text, TRANSFER_TEXT, "%s", inbox_file_text(file));
    inbox_file_free(file);
    return reason;
}

enum transfer_reason receive_all(struct inbox *inbox, const struct transfer_entry *entry,
                                 const uint8_t *octets, char text[TRANSFER_TEXT])
{
    struct inbox_answer answer;
    struct inbox_file *file = receive_look(inbox, entry, &answer);
    uint8_t hash[TREE_HASH];

    if (file == NULL) {
        if (text != NULL)
            (void)snprintf(text, TRANSFER_TEXT, "%s", answer.text);
        return answer.reason;
    }
    ck_assert_uint_le(answer.offset, entry->size);
    tree_hash(octets, (size_t)answer.offset, hash);
    bool same = answer.offset > 0 && memcmp(hash, answer.sha256, sizeof hash) == 0;
    return receive_rest(file, entry, octets, same ? answer.offset : 0, text);
}
