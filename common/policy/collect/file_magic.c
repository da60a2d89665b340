/* See the header. The signatures are those of file(1)'s database (magic/Magdir of file 5.45). */
#include "common/policy/collect/file_magic.h"

#include <string.h>

#define UNPACK "unpack it, and give the files inside"
#define EXPORT "export its data as JSON, and give that"

static const struct {
    struct bytes start;
    struct file_magic magic;
} MAGICS[] = {
    {BYTES_LITERAL("PK\x03\x04"), {"a ZIP archive", UNPACK}},
    {BYTES_LITERAL("PK\x05\x06"), {"an empty ZIP archive", UNPACK}},
    {BYTES_LITERAL("7z\xBC\xAF\x27\x1C"), {"a 7-Zip archive", UNPACK}},
    {BYTES_LITERAL("Rar!\x1A\x07"), {"a RAR archive", UNPACK}},
    {BYTES_LITERAL("\xFD\x37zXZ\x00"), {"compressed with xz", "decompress it: xz -dk FILE"}},
    {BYTES_LITERAL("BZh"), {"compressed with bzip2", "decompress it: bzip2 -dk FILE"}},
    {BYTES_LITERAL("LZIP"), {"compressed with lzip", "decompress it: lzip -dk FILE"}},
    {BYTES_LITERAL("\x04\x22\x4D\x18"), {"compressed with lz4", "decompress it: lz4 -dk FILE"}},
    {BYTES_LITERAL("\x1F\x9D"), {"compressed with compress", "decompress it: uncompress FILE"}},
    {BYTES_LITERAL("\xFF\x06\x00\x00sNaPpY"),
     {"compressed with Snappy", "decompress it, and give the JSON inside"}},
    {BYTES_LITERAL("PAR1"), {"a Parquet file", EXPORT}},
    {BYTES_LITERAL("Obj\x01"), {"an Avro file", EXPORT}},
    {BYTES_LITERAL("ORC"), {"an ORC file", EXPORT}},
    {BYTES_LITERAL("ARROW1"), {"an Arrow file", EXPORT}},
    {BYTES_LITERAL("SQLite format 3\x00"), {"a SQLite database", EXPORT}},
    {BYTES_LITERAL("PGDMP"), {"a PostgreSQL dump", EXPORT}},
    {BYTES_LITERAL("REDIS0"), {"a Redis dump", EXPORT}},
    {BYTES_LITERAL("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), {"an old Office document", EXPORT}},
    {BYTES_LITERAL("%PDF-"), {"a PDF document", EXPORT}},
    {BYTES_LITERAL("\x89PNG\r\n\x1A\n"), {"a PNG image", "leave it out"}},
    {BYTES_LITERAL("\xFF\xD8\xFF"), {"a JPEG image", "leave it out"}},
    {BYTES_LITERAL("\x7F\x45LF"), {"a program (ELF)", "leave it out"}},
};

#define TAR_AT 257 /* ustar's mark, of GNU tar and POSIX pax alike */

const struct file_magic *file_magic_find(struct bytes start, bool *more)
{
    static const struct file_magic TAR = {"a tar archive", UNPACK};
    *more = false;
    for (size_t i = 0; i < sizeof(MAGICS) / sizeof(MAGICS[0]); i++) {
        struct bytes magic = MAGICS[i].start;
        size_t common = start.size < magic.size ? start.size : magic.size;
        if (common == 0 || memcmp(start.data, magic.data, common) != 0)
            continue;
        if (common == magic.size)
            return &MAGICS[i].magic;
        *more = true;
    }
    if (start.size >= TAR_AT + 5 && memcmp(start.data + TAR_AT, "ustar", 5) == 0)
        return &TAR;
    return NULL;
}
