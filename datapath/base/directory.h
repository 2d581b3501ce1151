/* Directories of files that are about to be made. */
#ifndef BASE_DIRECTORY_H
#define BASE_DIRECTORY_H

/*
 * Makes the directory that the path's file is to be in, for nobody else (0700),
 * but none above it; one that is there stays as it is. 0 or -errno. Any thread.
 */
int directory_make_for(const char *path);

#endif
