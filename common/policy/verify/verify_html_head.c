/* The head of report.html: its style, and the policy that allows nothing but that. */

#include "common/policy/verify/verify_html_internal.h"

#include <sodium.h>

#include "common/policy/html_out.h"

/* Colours of the classes have the names they have in JSON. */
static const char STYLE[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1c2430;--dim:#5b6675;--line:#d9dee5;"
    "--soft:#f4f6f8;--ok:#1d6b4c;--ok-bg:#e6f3ec;--bad:#a3271d;--bad-bg:#fbeae8;"
    "--none:#7a5410;--none-bg:#fbf2dd;--s1:#1f6fb2;--s2:#b3542c;--s3:#2f8f6b;--s4:#7d4aa0;--num:ui-"
    "monospace,SFMono-Regular,Menlo,Consolas,"
    "'DejaVu Sans Mono',monospace}"
    "@media screen and (prefers-color-scheme:dark){:root{--bg:#14181d;--fg:#dfe5ec;--dim:#98a4b3;"
    "--line:#323a44;--soft:#1c2229;--ok:#7fd0a8;--ok-bg:#16291f;--bad:#f2938a;--bad-bg:#311a18;"
    "--none:#e3bd6b;--none-bg:#2c2413;--s1:#6db3f2;--s2:#f0a27a;--s3:#7fd0a8;--s4:#c79be6}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:68rem;padding:1.5rem 1.25rem 3rem;background:var(--bg);"
    "color:var(--fg);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',"
    "'DejaVu Sans',sans-serif;overflow-wrap:anywhere}"
    "h1{font-size:1.05rem;font-weight:600;margin:0 0 1rem}h1 span{color:var(--dim);"
    "font-weight:400}"
    "h2{font-size:1.05rem;margin:2.25rem 0 .75rem;padding-bottom:.3rem;"
    "border-bottom:1px solid var(--line)}"
    "h3{font-size:1rem;margin:0;font-weight:600}"
    "p{margin:.4rem 0}.dim{color:var(--dim)}"
    "code,.mono{font-family:var(--num);font-size:.875em}"
    ".banner{border:1px solid;border-left-width:6px;border-radius:6px;padding:.9rem 1.1rem}"
    ".banner p{margin:.15rem 0;color:var(--fg)}"
    ".banner .verdict{font-size:1.6rem;line-height:1.2;font-weight:700;color:inherit}"
    ".match{color:var(--ok);background:var(--ok-bg)}"
    ".discrepancy{color:var(--bad);background:var(--bad-bg)}"
    ".not_verified{color:var(--none);background:var(--none-bg)}"
    ".note{border-left:4px solid var(--none);background:var(--none-bg);padding:.5rem .8rem;"
    "margin:.6rem 0;border-radius:4px}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{padding:.3rem .7rem .3rem 0;text-align:left;vertical-align:top;"
    "border-bottom:1px solid var(--line)}"
    "th{font-weight:600;color:var(--dim);font-size:.85rem;vertical-align:bottom}"
    "th,.word{overflow-wrap:normal}"
    ".n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;"
    "overflow-wrap:normal;padding-left:.5rem}.n+:not(.n){padding-left:.7rem}"
    "td.n:first-child,th.n:first-child{width:6rem}td:last-child,th:last-child{padding-right:0}"
    "tr.sum td{color:var(--dim)}tr.total td{font-weight:600;border-bottom:0}"
    ".wide{overflow-x:auto}.wide td,.wide th{min-width:3.5rem}.wide .name{min-width:7rem}"
    ".legend .n{padding:0}"
    ".bar{display:block;width:100%;height:26px;border-radius:5px;background:var(--soft)}"
    ".bar rect,.key{fill:var(--c);background:var(--c)}"
    ".legend{list-style:none;margin:.8rem 0;padding:0;columns:17rem;column-gap:2rem}"
    ".legend li{display:grid;grid-template-columns:auto 1fr auto 4.6rem;"
    "column-gap:.55rem;"
    "break-inside:avoid;align-items:baseline;padding:.12rem 0}"
    ".key{display:inline-block;width:.75rem;height:.75rem;border-radius:2px}"
    ".identity{font-weight:600;margin-top:.8rem}"
    ".problem{border:1px solid var(--line);border-left:4px solid var(--c,var(--bad));"
    "border-radius:6px;padding:.7rem .9rem;margin:.8rem 0}"
    ".sample{background:var(--soft);border-radius:4px;padding:.5rem .7rem;margin:.5rem 0;"
    "font-size:.93rem}"
    ".sample p{margin:.1rem 0}.sample table{margin-top:.35rem}"
    ".sample td:first-child{width:28%}"
    ".fix b{color:var(--ok)}"
    "details>summary{cursor:pointer;color:var(--dim);margin:.3rem 0}"
    "dl{display:grid;grid-template-columns:minmax(9rem,max-content) 1fr;gap:.25rem 1.2rem;"
    "margin:0}dt{color:var(--dim)}dd{margin:0}"
    ".state{font-weight:600}.bad{color:var(--bad)}"
    ".plot{margin:1.2rem 0;break-inside:avoid}"
    "figcaption{display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;margin-bottom:.5rem}"
    ".line::before{content:'';display:inline-block;width:1.5rem;margin-right:.4rem;"
    "vertical-align:.25em;border-top:2px solid var(--s)}"
    ".s1{--s:var(--s1)}.s2{--s:var(--s2)}.s3{--s:var(--s3)}.s4{--s:var(--s4)}"
    ".limit{--s:var(--bad)}"
    ".line.s2::before{border-top-style:dashed}.line.s3::before,.line.limit::before{"
    "border-top-style:dotted}.line.s4::before{border-top-style:double}"
    ".frame{display:grid;grid-template-columns:auto 1fr;column-gap:.6rem;padding-top:.5rem}"
    ".frame svg{display:block;width:100%;height:9.5rem;overflow:visible}"
    ".frame path{fill:none;stroke:var(--s);stroke-width:1.75px;stroke-linejoin:round;"
    "stroke-linecap:round;vector-effect:non-scaling-stroke}"
    ".frame path.grid{stroke:var(--line);stroke-width:1px}"
    ".frame path.s2{stroke-dasharray:7 4}.frame path.s3,.frame path.limit{stroke-dasharray:2 4}"
    ".frame path.s4{stroke-dasharray:12 3 2 3}"
    ".values,.times{color:var(--dim);font-size:.8rem;font-variant-numeric:tabular-nums;"
    "white-space:nowrap;display:flex;justify-content:space-between}"
    ".values{flex-direction:column;text-align:right;line-height:1;margin:-.4rem 0;"
    "height:10.3rem}"
    ".times{grid-column:2;margin-top:.35rem}"
    "footer{margin-top:2.5rem;color:var(--dim);font-size:.85rem}"
    ".c-match{--c:#2f8f6b}.c-within_tolerance{--c:#7fb89e}.c-superseded{--c:#8d99a6}"
    ".c-unchanged{--c:#b3bcc6}.c-different{--c:#c8402f}.c-stale_by_mapping{--c:#dd9a3c}"
    ".c-stale{--c:#d97a2b}.c-target_newer{--c:#b4622a}.c-missing{--c:#8f2438}"
    ".c-unusable{--c:#7d4aa0}.c-conflict{--c:#b03a7c}.c-ambiguous{--c:#cf79a8}"
    ".c-dead_lettered{--c:#e0603f}.c-rejected{--c:#96604f}.c-withheld{--c:#5f7fa3}"
    ".c-not_produced{--c:#6e5a2e}.c-discarded{--c:#6b7683}.c-lagging{--c:#3f8ec4}"
    ".c-pending{--c:#79b4d6}.c-outside{--c:#a3771d}"
    "@media print{:root{color-scheme:light}body{max-width:none;padding:0;font-size:10.5pt}"
    "h2{break-after:avoid}"
    ".sample,tr,.banner{break-inside:avoid}.problem h3,.problem h3+p{break-after:avoid}"
    ".wide{overflow:visible}.banner,.bar,.bar rect,.key,.note,.sample,.line::before{"
    "-webkit-print-color-adjust:exact;print-color-adjust:exact}}"
    "@page{margin:16mm 14mm}";

static void append_policy(struct buf *out)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    crypto_hash_sha256(hash, (const unsigned char *)STYLE, sizeof STYLE - 1);
    sodium_bin2base64(text, sizeof text, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    buf_append_format(out,
                      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                      "style-src 'sha256-%s'; base-uri 'none'; form-action 'none'\" />\n",
                      text);
}

void verify_html_append_head(struct buf *out, struct bytes title)
{
    buf_append_text(out,
                    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />\n");
    append_policy(out);
    buf_append_text(out,
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n"
                    "<meta name=\"referrer\" content=\"no-referrer\" />\n<title>");
    html_append_words(out, title);
    buf_append_text(out, "</title>\n<style>");
    buf_append(out, STYLE, sizeof STYLE - 1);
    buf_append_text(out, "</style>\n</head>\n<body>\n");
}
