/* What storage.c needs of storage_image.c. */
#ifndef VMM_HOST_STORAGE_PRIVATE_H
#define VMM_HOST_STORAGE_PRIVATE_H

#include "vmm/host/storage.h"

/* The disk's node, as blockdev-add has it, with all that backs it; NULL with a
 * message. */
json_t *storage_image(const struct vm_disk *disk, char **errp);

#endif
