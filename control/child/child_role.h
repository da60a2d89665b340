#ifndef DROVER_CONTROL_CHILD_ROLE_H
#define DROVER_CONTROL_CHILD_ROLE_H

/* Also a child's place in its parent's list; workers go on from CHILD_WORK. */
enum child_role {
    CHILD_PRODUCE,
    CHILD_VERIFY,
    CHILD_WORK,
};

#endif
