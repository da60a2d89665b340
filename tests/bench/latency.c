/*
 * From a line written to the row seen: writes records to standard output at a given rate and, in
 * a thread of its own, asks PostgreSQL every millisecond which of them are there.
 *
 *   latency RATE RECORDS RESULT.json | drover produce -     (LATENCY_DATABASE_URL, table chat)
 *
 * A row's time is when a query sees it, so a figure is up to a poll too long, never too short. The
 * poll's own median cost is in the result. The first tenth is not counted: connections and caches
 * are made then.
 */

#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GIVE_UP_MS 30000

static long records;
static double *sent_ms, *seen_ms;
static double *poll_ms;
static long polls;
static volatile long sent_count;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "latency: %s: %s\n", what, why);
    exit(1);
}

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1000 + (double)time.tv_nsec / 1e6;
}

static void sleep_until(double until_ms)
{
    double wait_ms = until_ms - now_ms();
    if (wait_ms > 0)
        nanosleep(&(struct timespec){(time_t)(wait_ms / 1000), (long)(wait_ms * 1e6) % 1000000000},
                  NULL);
}

/* Rows of a revision from `low` on; below it all are seen. */
static void poll_once(PGconn *connection, long low)
{
    char text[24];
    const char *values[] = {text};
    snprintf(text, sizeof text, "%ld", low);
    double begin_ms = now_ms();
    PGresult *result = PQexecPrepared(connection, "poll", 1, values, NULL, NULL, 0);
    double end_ms = now_ms();
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        die("PostgreSQL", PQerrorMessage(connection));
    for (int i = 0; i < PQntuples(result); i++) {
        long number = strtol(PQgetvalue(result, i, 0), NULL, 10) - 1;
        if (number >= 0 && number < records && seen_ms[number] == 0)
            seen_ms[number] = end_ms;
    }
    PQclear(result);
    if (polls < 100000)
        poll_ms[polls++] = end_ms - begin_ms;
}

static void *watch(void *url)
{
    PGconn *connection = PQconnectdb(url);
    if (PQstatus(connection) != CONNECTION_OK)
        die("PostgreSQL", PQerrorMessage(connection));
    PQclear(PQexec(connection, "SET enable_seqscan = off"));
    PQclear(PQprepare(connection, "poll", "SELECT rev FROM chat WHERE rev >= $1", 0, NULL));
    double last_ms = now_ms();
    for (long low = 0, before = -1; low < records;) {
        double begin_ms = now_ms();
        poll_once(connection, low + 1);
        while (low < records && seen_ms[low] != 0)
            low++;
        if (low != before)
            last_ms = begin_ms;
        before = low;
        if (sent_count == records && begin_ms - last_ms > GIVE_UP_MS)
            die("gave up", "a record is not seen within 30 s");
        sleep_until(begin_ms + 1);
    }
    PQfinish(connection);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at(const double *sorted, long count, double part)
{
    return count > 0 ? sorted[(long)((double)(count - 1) * part)] : 0;
}

static void write_result(const char *path)
{
    long skip = records / 10, count = 0;
    double *took = calloc((size_t)records, sizeof *took);
    if (!took)
        abort();
    for (long i = skip; i < records; i++)
        took[count++] = seen_ms[i] - sent_ms[i];
    qsort(took, (size_t)count, sizeof *took, by_size);
    qsort(poll_ms, (size_t)polls, sizeof *poll_ms, by_size);
    FILE *file = fopen(path, "w");
    if (!file)
        die("a file", path);
    fprintf(file, "{\"records\":%ld,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,", count,
            at(took, count, 0.5), at(took, count, 0.99), at(took, count, 1));
    fprintf(file, "\"poll_ms\":%.2f}\n", at(poll_ms, polls, 0.5));
    fclose(file);
    free(took);
}

static void write_record(long i)
{
    printf(
        "{\"tenant\":\"t%ld\",\"id\":\"m%ld\",\"rev\":%ld,\"session\":\"s%ld\",\"role\":\"user\","
        "\"content\":\"what happened to record %ld of this session, and when\","
        "\"at\":\"2024-05-01T10:00:00.000Z\",\"tokens\":%ld,\"model\":\"small-2\","
        "\"flags\":{\"pinned\":false}}\n",
        i % 50, i, i + 1, i / 20, i, i % 4096);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    pthread_t watcher;
    char *url = getenv("LATENCY_DATABASE_URL");
    if (argc != 4 || !url)
        die("usage", "LATENCY_DATABASE_URL=… latency RATE RECORDS RESULT.json");
    double rate = strtod(argv[1], NULL);
    records = strtol(argv[2], NULL, 10);
    sent_ms = calloc((size_t)records, sizeof *sent_ms);
    seen_ms = calloc((size_t)records, sizeof *seen_ms);
    poll_ms = calloc(100000, sizeof *poll_ms);
    if (rate <= 0 || records < 10 || !sent_ms || !seen_ms || !poll_ms)
        die("usage", "a rate above 0 and 10 records or more");
    if (pthread_create(&watcher, NULL, watch, url) != 0)
        abort();
    double begin_ms = now_ms();
    for (long i = 0; i < records; i++) {
        sleep_until(begin_ms + (double)i * 1000 / rate);
        sent_ms[i] = now_ms();
        write_record(i);
        sent_count = i + 1;
    }
    pthread_join(watcher, NULL);
    write_result(argv[3]);
    return 0;
}
