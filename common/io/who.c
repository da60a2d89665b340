#include "common/io/who.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

void who_is_it(char out[WHO_SIZE])
{
    char host[64] = "host";
    const struct passwd *user = getpwuid(geteuid());
    gethostname(host, sizeof host - 1);
    if (user && user->pw_name)
        snprintf(out, WHO_SIZE, "%.80s@%.64s", user->pw_name, host);
    else
        snprintf(out, WHO_SIZE, "%u@%.64s", (unsigned)geteuid(), host);
}
