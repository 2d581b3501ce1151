/*
 * The lock that keeps a second process off a database: on a file beside it,
 * ".NAME.~lock~", as ovsdb-server and ovsdb-tool use it. The file stays; the
 * lock ends with the descriptor.
 */
#ifndef OVSDB_LITE_LOCK_FILE_H
#define OVSDB_LITE_LOCK_FILE_H

/*
 * Returns a descriptor to close() when done; or -errno with a message, -EAGAIN
 * when another has the lock.
 */
int lock_file(const char *path, char **errp);

#endif
