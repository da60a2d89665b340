#ifndef DROVER_POLICY_REPORT_FACTS_H
#define DROVER_POLICY_REPORT_FACTS_H

/*
 * What every report says of how it came about: which program with which settings looked at which
 * servers, where, for whom and when. A digest of the settings tells whether two reports were made
 * with the same ones; it holds no secret and nothing that can be guessed from.
 */

#include <stdint.h>

#define REPORT_SETTINGS_DIGEST_SIZE 33 /* 32 hex digits and a NUL */

/* Texts are borrowed; NULL or empty: not known. */
struct report_facts {
    const char *run;      /* names this report among those of its migration */
    const char *who;      /* "user@host" */
    const char *storage;  /* a word of the settings */
    const char *settings; /* their digest */
    const char *postgres; /* version of the server */
    const char *redis;    /* the same */
    const char *kafka;    /* version of its client library */
    int64_t began_ms;     /* Unix time; negative: not known */
    int64_t ended_ms;     /* the same; negative: it goes on */
    int64_t written_ms;
};

#endif
