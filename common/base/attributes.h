#ifndef DROVER_BASE_ATTRIBUTES_H
#define DROVER_BASE_ATTRIBUTES_H

/* The only compiler extensions the project uses. */
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

#endif
