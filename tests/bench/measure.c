/*
 * What a program costs: runs it and writes one JSON line of its time, its CPU time (all threads,
 * and children it waited for) and its peak resident memory. Exits as the program did.
 *
 *   measure RESULT.json COMMAND [ARGUMENT…]
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    int status;
    struct rusage usage;
    if (argc < 3)
        return 2;
    double begin = now();
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) != child)
        return 1;
    double took = now() - begin;
    FILE *result = fopen(argv[1], "w");
    if (!result)
        return 1;
    fprintf(result, "{\"seconds\":%.4f,\"cpu_seconds\":%.4f,\"peak_mib\":%.1f}\n", took,
            seconds(usage.ru_utime) + seconds(usage.ru_stime), (double)usage.ru_maxrss / 1024);
    fclose(result);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
