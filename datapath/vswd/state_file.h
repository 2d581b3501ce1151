/*
 * Small files in the run directory that outlive the daemon: what a clean stop
 * leaves for the next start. A file is there as a whole or not at all: it is
 * written beside its place, flushed to the disk and renamed; who reads it
 * checks that it is of this kind and not damaged. Control thread.
 */
#ifndef VSWD_STATE_FILE_H
#define VSWD_STATE_FILE_H

#include "base/util.h"

#define STATE_KIND_LEN 8 /* characters that tell what is in a file */

struct state_writer;

/*
 * Begins a file; its directory is made if it is not there. 0, or -errno with a
 * message.
 */
int state_file_create(const char *path, const char *kind,
		      struct state_writer **writerp, char **errp);
/* 0 or -errno, which the end returns, too. */
int state_file_write(struct state_writer *writer, const void *data, size_t len);
/*
 * Puts the file in its place, or, after an error or with `keep` false, takes it
 * away. Ends the writer. 0 or -errno with a message.
 */
int state_file_finish(struct state_writer *writer, bool keep, char **errp);

/*
 * Reads what was written, at most max bytes, and how long ago that was (0 when
 * the clock was set back since). 0 and *datap (the caller's to free); -ENOENT:
 * there is none, without a message; else -errno (-EBADMSG: damaged, or of
 * another kind) with one.
 */
int state_file_read(const char *path, const char *kind, size_t max,
		    uint8_t **datap, size_t *lenp, uint64_t *age_ms,
		    char **errp);

#endif
