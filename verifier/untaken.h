#ifndef DROVER_VERIFIER_UNTAKEN_H
#define DROVER_VERIFIER_UNTAKEN_H

/*
 * Messages that got into no row: dead letters, what should be one, and what an earlier reading left
 * waiting. Which of them still count is known when a pass has read the topic
 * (common/policy/verify/diff_untaken.h).
 */

#include "verifier/verify_run.h"

/* A message, and why it got into no row. */
struct untaken_message {
    const struct bus_message *message;
    const struct record *record;
    enum verdict verdict; /* DEAD, UNUSABLE or WAITING */
    enum error_code code;
    const char *path; /* "/member" or "" */
    bool is_repeat;
    bool has_key; /* the mapping finds whose it is; else the record says it, or nobody */
    struct diff_key key;
    int64_t version;
    bool has_version;
};

/* OUT_FATAL DRV-Y001 (read_once: DRV-F003): they do not fit their share of the memory. */
MUST_USE enum outcome untaken_take(struct verify_run *run, const struct untaken_message *untaken,
                                   struct error *err);
/* A message was taken; its source.history is false afterwards when it stands for the record that
 * it is an attempt of. `offset`: in the topic. */
void untaken_resolve(struct verify_run *run, const struct bus_message *message,
                     struct diff_source *source, int64_t offset);
/* A record waits: what waited of its key before does not count. */
void untaken_drop_waiting(struct verify_run *run, const struct diff_key *key, int64_t version);
/* A message of the record is not applied yet. False: nothing of it is open, or something of its key
 * is told besides. `key` NULL: the message names no record. */
bool untaken_lags(struct verify_run *run, const struct bus_message *message,
                  const struct diff_key *key, enum diff_lags lags);
/* The key under which a message is found that names no record: its first attempt's place. */
struct diff_key untaken_place_key(const struct verify_run *run, const struct bus_message *message);
/* Counts those of the pass, before its leaders are. */
void untaken_count(struct verify_run *run);
/* Whether the key has a verdict of its own among them. */
bool untaken_has(const struct verify_run *run, const struct diff_key *key);

#endif
