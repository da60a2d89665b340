/* See the header. */
#include "common/policy/alert/alert_url.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/base/bytes.h"
#include "common/base/text.h"

/* Behind "://"; NULL: another scheme, or none. */
static const char *find_authority(const char *url)
{
    static const char *const SCHEMES[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++)
        if (strncasecmp(url, SCHEMES[i], strlen(SCHEMES[i])) == 0)
            return url + strlen(SCHEMES[i]);
    return NULL;
}

/* No port at all, or nothing behind the ':', is the scheme's own. */
static bool is_port(struct bytes text)
{
    int64_t port = 0;
    return text.size == 0 || (text_parse_int64(text, &port) && port >= 1 && port <= 65535);
}

/* The address in [ ] of IPv6, or a name up to its port. */
static size_t host_size(struct bytes authority)
{
    const char *end = authority.size && authority.data[0] == '['
                          ? memchr(authority.data, ']', authority.size)
                          : NULL;
    if (end)
        return (size_t)(end - authority.data) + 1;
    end = authority.size ? memchr(authority.data, ':', authority.size) : NULL;
    return end ? (size_t)(end - authority.data) : authority.size;
}

const char *alert_url_fault(const char *url)
{
    const char *begin = find_authority(url);
    if (!begin)
        return "is no http or https URL";
    for (const char *at = url; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == '\x7f')
            return "has a blank or a control character in its URL";
    struct bytes authority = bytes_of(begin, strcspn(begin, "/?#"));
    const char *login = memrchr(authority.data, '@', authority.size);
    if (login)
        authority = bytes_of(login + 1, authority.size - (size_t)(login + 1 - authority.data));
    size_t size = host_size(authority);
    struct bytes port = bytes_of(authority.data + size, authority.size - size);
    if (size == 0 || (authority.data[0] == '[' && (size < 3 || authority.data[size - 1] != ']')))
        return "names no host";
    if (port.size && (port.data[0] != ':' || !is_port(bytes_of(port.data + 1, port.size - 1))))
        return "has a port that is no number from 1 to 65535";
    return NULL;
}
