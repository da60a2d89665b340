#ifndef DROVER_TESTS_SUITE_H
#define DROVER_TESTS_SUITE_H

/* The main program of a test file: SUITE_MAIN(suite_function). CK_FORK=no runs it in one process.
 */

#include <check.h>
#include <stdlib.h>

#define SUITE_MAIN(suite_function)                                                                 \
    int main(void)                                                                                 \
    {                                                                                              \
        SRunner *runner = srunner_create(suite_function());                                        \
        srunner_run_all(runner, CK_NORMAL);                                                        \
        int failed = srunner_ntests_failed(runner);                                                \
        srunner_free(runner);                                                                      \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                               \
    }

#endif
