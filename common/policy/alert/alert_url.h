#ifndef DROVER_POLICY_ALERT_URL_H
#define DROVER_POLICY_ALERT_URL_H

/*
 * Whether a webhook's URL can be called at all, before anybody needs it. What is said of one never
 * holds a part of it: a URL is a secret.
 */

/* NULL: it can. Else what is wrong, as in "the webhook ...", static: "names no host". */
const char *alert_url_fault(const char *url);

#endif
