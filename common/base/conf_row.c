/* A row of a setting that is a list of maps. */
#include <string.h>

#include "common/base/conf.h"

const struct conf_list *conf_row_find(const struct conf_row *row, const char *key)
{
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->keys[i], key) == 0)
            return &row->values[i];
    return NULL;
}
