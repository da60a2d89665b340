/* See the header. */
#include "common/io/file_output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

struct file_output {
    int fd;
    bool pending; /* `temporary` is to be renamed or removed */
    char path[PATH_MAX];
    char temporary[PATH_MAX];
};

static enum outcome fail(const struct file_output *output, struct error *err)
{
    int number = errno;
    enum outcome outcome = error_set(err, OUT_FATAL, ERR_STATE_FILE, "the file cannot be written");
    error_where(err, "%s", output->path[0] ? output->path : "standard output");
    error_cause(err, "%s", strerror(number));
    return outcome;
}

enum outcome file_output_open(const char *path, struct file_output **out, struct error *err)
{
    struct file_output *output = mem_new(sizeof *output);
    *out = output;
    output->fd = STDOUT_FILENO;
    if (!path)
        return OUT_OK;
    int size = snprintf(output->path, sizeof output->path, "%s", path);
    int temporary =
        snprintf(output->temporary, sizeof output->temporary, "%s.%ld.new", path, (long)getpid());
    if (size < 0 || temporary < 0 || (size_t)temporary >= sizeof output->temporary) {
        errno = ENAMETOOLONG;
        output->fd = -1;
        return fail(output, err);
    }
    output->fd =
        open(output->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    output->pending = output->fd >= 0;
    return output->fd < 0 ? fail(output, err) : OUT_OK;
}

enum outcome file_output_write(struct file_output *output, struct bytes content, struct error *err)
{
    size_t done = 0;
    while (done < content.size) {
        ssize_t count = write(output->fd, content.data + done, content.size - done);
        if (count >= 0)
            done += (size_t)count;
        else if (errno != EINTR)
            return fail(output, err);
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
    close(fd);
    return ok;
}

enum outcome file_output_commit(struct file_output *output, struct error *err)
{
    if (!output->pending)
        return OUT_OK;
    if (fsync(output->fd) != 0 || rename(output->temporary, output->path) != 0)
        return fail(output, err);
    output->pending = false;
    return sync_folder(output) ? OUT_OK : fail(output, err);
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
