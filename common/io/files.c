#include "common/io/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/mem.h"

enum {
    READ_STEP = 16384,
    SECRET_LIMIT = 65536,
    FOLDER_MODE = 0700,
    FILE_MODE = 0600,
};

static enum outcome system_error(struct error *err, enum error_code code, const char *what,
                                 const char *path)
{
    int number = errno;
    enum outcome outcome = error_set(err, OUT_FATAL, code, "%s", what);
    error_where(err, "%s", path);
    error_cause(err, "%s", strerror(number));
    return outcome;
}

/* Until the end, or one byte more than the limit: then the buffer has failed. */
static bool read_all(int fd, struct buf *content)
{
    char step[READ_STEP];
    while (!content->failed) {
        ssize_t count = read(fd, step, sizeof(step));
        if (count == 0)
            return true;
        if (count > 0)
            buf_append(content, step, (size_t)count);
        else if (errno != EINTR)
            return false;
    }
    return true;
}

enum outcome files_read(const char *path, size_t limit, struct buf *content, struct error *err)
{
    buf_init(content, limit);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return system_error(err, ERR_CONF_FILE, "the file cannot be read", path);

    enum outcome outcome = OUT_OK;
    if (!read_all(fd, content))
        outcome = system_error(err, ERR_CONF_FILE, "the file cannot be read", path);
    else if (content->failed) {
        outcome = error_set(err, OUT_FATAL, ERR_CONF_FILE,
                            "the file is larger than the %zu bytes allowed here", limit);
        error_where(err, "%s", path);
    }
    close(fd);
    return outcome;
}

/* ---- writing ----------------------------------------------------------------------------- */

struct file_output {
    int fd;
    bool pending; /* `temporary` is to be renamed or removed */
    char path[PATH_MAX];
    char temporary[PATH_MAX];
};

static enum outcome not_written(const struct file_output *output, struct error *err)
{
    return system_error(err, ERR_STATE_FILE, "the file cannot be written",
                        output->path[0] ? output->path : "standard output");
}

enum outcome file_output_open(const char *path, struct file_output **out, struct error *err)
{
    struct file_output *output = *out = mem_new(sizeof *output);
    output->fd = STDOUT_FILENO;
    if (!path)
        return OUT_OK;
    int size = snprintf(output->path, sizeof output->path, "%s", path);
    int temporary =
        snprintf(output->temporary, sizeof output->temporary, "%s.%ld.new", path, (long)getpid());
    if (size < 0 || temporary < 0 || (size_t)temporary >= sizeof output->temporary) {
        errno = ENAMETOOLONG;
        output->fd = -1;
        return not_written(output, err);
    }
    output->fd =
        open(output->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    output->pending = output->fd >= 0;
    return output->fd < 0 ? not_written(output, err) : OUT_OK;
}

enum outcome file_output_write(struct file_output *output, struct bytes content, struct error *err)
{
    size_t done = 0;
    while (done < content.size) {
        ssize_t count = write(output->fd, content.data + done, content.size - done);
        if (count >= 0)
            done += (size_t)count;
        else if (errno != EINTR)
            return not_written(output, err);
    }
    return OUT_OK;
}

/* A rename is durable only when its folder is on disk as well. */
static bool sync_folder(const struct file_output *output)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", output->path);
    int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0;
    int number = errno;
    close(fd);
    errno = number;
    return ok;
}

enum outcome file_output_commit(struct file_output *output, struct error *err)
{
    if (!output->pending)
        return OUT_OK;
    if (fsync(output->fd) != 0 || rename(output->temporary, output->path) != 0)
        return not_written(output, err);
    output->pending = false;
    return sync_folder(output) ? OUT_OK : not_written(output, err);
}

void file_output_close(struct file_output *output)
{
    if (!output)
        return;
    if (output->pending)
        unlink(output->temporary);
    if (output->fd > STDERR_FILENO)
        close(output->fd);
    free(output);
}

enum outcome files_write(const char *path, struct bytes content, struct error *err)
{
    struct file_output *output;
    enum outcome outcome = file_output_open(path, &output, err);
    if (outcome == OUT_OK)
        outcome = file_output_write(output, content, err);
    if (outcome == OUT_OK)
        outcome = file_output_commit(output, err);
    file_output_close(output);
    return outcome;
}

/* ---- folders and secrets ----------------------------------------------------------------- */

enum outcome files_make_folder(const char *path, struct error *err)
{
    char part[PATH_MAX];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof(part)) {
        errno = size ? ENAMETOOLONG : ENOENT;
        return system_error(err, ERR_STATE_FILE, "the folder cannot be made", path);
    }
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, FOLDER_MODE) != 0 && errno != EEXIST)
            return system_error(err, ERR_STATE_FILE, "the folder cannot be made", part);
    }
    if (files_is_folder(path))
        return OUT_OK;
    errno = ENOTDIR;
    return system_error(err, ERR_STATE_FILE, "the folder cannot be made", path);
}

static bool is_private(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return true; /* reading it will say what is wrong */
    bool by_engine =
        strncmp(path, "/run/secrets/", 13) == 0 || strncmp(path, "/var/run/secrets/", 17) == 0;
    return by_engine || !S_ISREG(status.st_mode) || (status.st_mode & (S_IRWXO | S_IWGRP)) == 0;
}

static char *take_secret(const char *path, struct buf *content, struct error *err)
{
    struct bytes text = buf_view(content);
    if (text.size && text.data[text.size - 1] == '\n')
        text.size--;
    if (text.size && text.data[text.size - 1] == '\r')
        text.size--;
    if (text.size == 0 || memchr(text.data, '\0', text.size)) {
        error_set(err, OUT_FATAL, ERR_CONF_SECRET, "the secret file %s",
                  text.size ? "holds a NUL byte" : "is empty");
        error_where(err, "%s", path);
        return NULL;
    }
    char *secret = mem_text_part(text.data, text.size);
    return secret;
}

char *files_read_secret(const char *path, struct error *err)
{
    if (!is_private(path)) {
        error_set(err, OUT_FATAL, ERR_CONF_SECRET, "the secret file is open to other users");
        error_where(err, "%s", path);
        error_hint(err, "chmod 600 %s", path);
        return NULL;
    }
    struct buf content;
    struct error cause = {0};
    char *secret = NULL;
    if (files_read(path, SECRET_LIMIT, &content, &cause) == OUT_OK) {
        secret = take_secret(path, &content, err);
    } else {
        error_set(err, OUT_FATAL, ERR_CONF_SECRET, "%s", cause.text);
        error_where(err, "%s", path);
        if (cause.cause[0])
            error_cause(err, "%s", cause.cause);
    }
    if (content.data)
        explicit_bzero(content.data, content.capacity);
    buf_free(&content);
    return secret;
}

bool files_exist(const char *path)
{
    return access(path, F_OK) == 0;
}

bool files_is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool files_is_read_only(const char *path)
{
    struct statvfs system;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? mem_text_part(path, (size_t)(slash - path) + 1) : mem_text(".");
    bool is_known = statvfs(path, &system) == 0 || statvfs(folder, &system) == 0;
    free(folder);
    return is_known && (system.f_flag & ST_RDONLY);
}

int64_t files_time_ns(const struct timespec *time)
{
    const int64_t second = 1000000000;
    if (time->tv_sec > INT64_MAX / second - 1)
        return INT64_MAX;
    if (time->tv_sec < INT64_MIN / second + 1)
        return INT64_MIN;
    return (int64_t)time->tv_sec * second + (int64_t)time->tv_nsec;
}
