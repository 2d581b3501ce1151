/* What operating system this is, by os-release(5). */
#ifndef VSWD_OS_RELEASE_H
#define VSWD_OS_RELEASE_H

/* Its ID and VERSION_ID, "unknown" where not told; the caller frees both. */
void os_release(char **id, char **version);

#endif
