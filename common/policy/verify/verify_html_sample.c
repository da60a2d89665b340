/* One record of report.html: whose it is, where it stands, why, and which members differ. What is
 * masked in report.json is masked here, with the same hashes. */

#include "common/policy/verify/verify_html_internal.h"

#include <inttypes.h>

#include "common/policy/html_out.h"
#include "common/policy/verify/mapping_place.h"
#include "common/policy/verify/verify_mask.h"
#include "common/policy/verify/verify_words.h"

static void append_name(const struct verify_html *page, const char *before, struct bytes name)
{
    if (!name.size)
        return;
    buf_append_text(page->out, before);
    html_append_outside(page->out, name, VERIFY_HTML_NAME_MAX);
}

static void append_identity(const struct verify_html *page, const struct verify_sample *sample)
{
    struct buf *out = page->out;
    bool show_values = page->report->show_values;
    buf_append_text(out, "<p>");
    if (sample->file.size) {
        append_name(page, "", sample->file);
    } else {
        append_name(page, "", sample->tenant);
        append_name(page, sample->tenant.size ? " / " : "", sample->entity);
        if (sample->tenant.size || sample->id.size) /* else it was not known whose it is */
            buf_append_format(out, " <span class=\"dim\">key</span> <code>h:%016" PRIx64 "</code>",
                              verify_mask_hash_key(page->report, &sample->key));
        append_name(page, " <span class=\"dim\">id</span> ",
                    show_values ? sample->id : (struct bytes){0});
        bool may_show = sample->name.size && (show_values || sample->name.data[0] == '/');
        append_name(page, " <span class=\"dim\">name</span> ",
                    may_show ? sample->name : (struct bytes){0});
    }
    buf_append_text(out, "</p>\n");
}

static void append_places(const struct verify_html *page, const struct verify_sample *sample)
{
    struct buf *out = page->out;
    bool has_table = !sample->has_place && sample->table;
    if (!sample->has_place && !sample->origin.size && !has_table)
        return;
    buf_append_text(out, "<p class=\"dim\">");
    if (sample->origin.size) {
        buf_append_text(out, "from <span class=\"mono\">");
        html_append_outside(out, sample->origin, VERIFY_HTML_TEXT_MAX);
        buf_append_text(out, "</span> ");
    }
    if (sample->has_place) {
        buf_append_text(out, "at <span class=\"mono\">");
        html_append_outside(out, bytes_text(page->report->topic), VERIFY_HTML_TEXT_MAX);
        buf_append_format(out, "-%d@%" PRId64 "</span>", sample->partition, sample->offset);
    }
    if (has_table) {
        buf_append_text(out, "table ");
        html_append_outside(out, bytes_text(sample->table), VERIFY_HTML_NAME_MAX);
    }
    mapping_place_append_file(page->report->mappings, sample->entity, out);
    buf_append_text(out, "</p>\n");
}

static void append_why(const struct verify_html *page, const struct verify_sample *sample)
{
    struct buf *out = page->out;
    struct bytes why = verify_words_sample_reason(sample);
    if (why.size) {
        buf_append_text(out, "<p>");
        html_append_outside(out, why, VERIFY_HTML_TEXT_MAX);
        buf_append_text(out, "</p>\n");
    }
    if (sample->has_expected && sample->has_actual &&
        sample->expected_version != sample->actual_version)
        buf_append_format(out, "<p>source version %" PRId64 ", stored version %" PRId64 "</p>\n",
                          sample->expected_version, sample->actual_version);
}

static void append_value(const struct verify_html *page, struct bytes value)
{
    struct buf text;
    buf_init(&text, 16 * VERIFY_VALUE_MAX + 64);
    verify_mask_append_long(&text, page->report, value);
    buf_append_text(page->out, value.size ? "<td class=\"mono\">" : "<td class=\"dim\">");
    html_append_isolated(page->out, buf_view(&text));
    buf_append_text(page->out, "</td>");
    buf_free(&text);
}

static void append_field(const struct verify_html *page, const struct verify_sample *sample,
                         const struct diff_field *field)
{
    struct buf *out = page->out;
    buf_append_text(out, "<tr><td class=\"mono\">");
    html_append_outside(out, field->path, VERIFY_HTML_NAME_MAX);
    if (field->rule) {
        buf_append_text(out, "<br /><span class=\"dim\">");
        html_append_outside(out, bytes_text(field->rule->name), VERIFY_HTML_NAME_MAX);
        buf_append_format(out, " ±%g, line %d of its mapping</span>", field->rule->tolerance,
                          field->rule->line);
    } else {
        mapping_place_append_column(page->report->mappings, sample->entity, field->path, out);
    }
    buf_append_text(out, "</td>");
    append_value(page, field->expected);
    append_value(page, field->actual);
    buf_append_text(out, "</tr>\n");
}

static void append_fields(const struct verify_html *page, const struct verify_sample *sample)
{
    struct buf *out = page->out;
    if (!sample->field_count)
        return;
    buf_append_text(out, "<table>\n<tr><th>member</th><th>source</th><th>stored</th></tr>\n");
    for (size_t i = 0; i < sample->field_count; i++)
        append_field(page, sample, &sample->fields[i]);
    buf_append_text(out, "</table>\n");
    if (sample->field_total > sample->field_count)
        buf_append_format(out, "<p class=\"dim\">… and %zu more members</p>\n",
                          sample->field_total - sample->field_count);
}

void verify_html_append_sample(const struct verify_html *page, const struct verify_sample *sample)
{
    buf_append_text(page->out, "<div class=\"sample\">\n");
    append_identity(page, sample);
    append_places(page, sample);
    append_why(page, sample);
    append_fields(page, sample);
    buf_append_text(page->out, "</div>\n");
}
