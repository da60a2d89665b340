#ifndef DROVER_TESTS_PROFILE_WRITER_H
#define DROVER_TESTS_PROFILE_WRITER_H

/* A profile as Chromium writes it, and its files as bytes that can be damaged and put back. */

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leveldb/c.h>

#define PROFILE_LEVELDB "Local Storage/leveldb"

static inline void profile_call(char *message)
{
    if (!message)
        return;
    fprintf(stderr, "%s\n", message);
    abort();
}

static inline leveldb_t *profile_open(const char *folder)
{
    char path[512];
    char *message = NULL;
    leveldb_options_t *options = leveldb_options_create();
    snprintf(path, sizeof(path), "%s/Local Storage", folder);
    mkdir(folder, 0700);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/" PROFILE_LEVELDB, folder);
    leveldb_options_set_create_if_missing(options, 1);
    leveldb_options_set_write_buffer_size(options, 64 << 10);
    leveldb_t *database = leveldb_open(options, path, &message);
    profile_call(message);
    leveldb_options_destroy(options);
    return database;
}

static inline int profile_key(char key[128], const char *name)
{
    return snprintf(key, 128, "_https://app%c\1%s", 0, name);
}

static inline void profile_put(leveldb_t *database, const char *name, const char *value,
                               size_t value_size)
{
    char key[128];
    char *message = NULL;
    leveldb_writeoptions_t *writing = leveldb_writeoptions_create();
    int size = profile_key(key, name);
    char *stored = malloc(value_size + 1);
    stored[0] = 1;
    memcpy(stored + 1, value, value_size);
    leveldb_put(database, writing, key, (size_t)size, stored, value_size + 1, &message);
    profile_call(message);
    free(stored);
    leveldb_writeoptions_destroy(writing);
}

static inline void profile_delete(leveldb_t *database, const char *name)
{
    char key[128];
    char *message = NULL;
    leveldb_writeoptions_t *writing = leveldb_writeoptions_create();
    int size = profile_key(key, name);
    leveldb_delete(database, writing, key, (size_t)size, &message);
    profile_call(message);
    leveldb_writeoptions_destroy(writing);
}

/* `items` agents as one value; some tables and a log: it is opened and closed a few times. */
static inline void profile_write(const char *folder, int rounds, int entries, size_t value_size)
{
    char name[64];
    char *value = malloc(value_size + 64);
    for (int round = 0; round < rounds; round++) {
        leveldb_t *database = profile_open(folder);
        for (int i = 0; i < entries; i++) {
            snprintf(name, sizeof(name), "chat_session_s%d_%d", round, i);
            int begin = snprintf(value, 64, "[{\"message\":\"%d ", round * 1000 + i);
            memset(value + begin, 'a' + i % 26, value_size - (size_t)begin - 3);
            memcpy(value + value_size - 3, "\"}]", 3);
            profile_put(database, name, value, value_size);
        }
        leveldb_close(database);
    }
    free(value);
}

#endif
