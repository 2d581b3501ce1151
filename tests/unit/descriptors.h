/* What a test program holds open: whether the code it calls closes its own. */
#ifndef UNIT_DESCRIPTORS_H
#define UNIT_DESCRIPTORS_H

/* How many, and a constant more; to be compared with itself. */
unsigned count_fds(void);

#endif
