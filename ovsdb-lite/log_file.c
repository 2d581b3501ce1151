/* Records of a log file. */
#include "ovsdb-lite/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/log.h"

LOG_MODULE(journal);

#define MAGIC	   "OVSDB JSON "
#define MAGIC_LEN  (sizeof(MAGIC) - 1)
#define SHA1_LEN   40
#define MAX_HEADER (MAGIC_LEN + 20 + 1 + SHA1_LEN + 1)

/*
 * How many beginnings of records are tried in the bytes after a bad one. A file
 * of nothing but beginnings would cost its size for each.
 */
#define MAX_TRIES 256

/* --- one record -------------------------------------------------------- */

static void sha1_text(const char *bytes, size_t n, char text[SHA1_LEN + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	memset(digest, 0, sizeof(digest));
	EVP_Digest(bytes, n, digest, NULL, EVP_sha1(), NULL);
	for (int i = 0; i < SHA1_LEN / 2; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

struct header {
	size_t header_len, body_len;
	char sha1[SHA1_LEN + 1];
};

/* False when no whole header begins at bytes. */
static bool parse_header(struct header *header, const char *bytes, size_t size)
{
	const char *end = memchr(bytes, '\n', MIN(size, MAX_HEADER));
	const char *p = bytes + MAGIC_LEN;

	if (!end || (size_t)(end - bytes) < MAGIC_LEN ||
	    memcmp(bytes, MAGIC, MAGIC_LEN))
		return false;
	header->body_len = 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (header->body_len > SIZE_MAX / 20)
			return false;
		header->body_len = header->body_len * 10 + (size_t)(*p - '0');
	}
	if (p == bytes + MAGIC_LEN || *p != ' ' || end - p != 1 + SHA1_LEN)
		return false;
	memcpy(header->sha1, p + 1, SHA1_LEN);
	header->sha1[SHA1_LEN] = '\0';
	header->header_len = (size_t)(end + 1 - bytes);
	return true;
}

/* NULL when the bytes begin with a whole record of the right sum. */
static const char *check_record(struct header *header, const char *bytes,
				size_t size)
{
	char sha1[SHA1_LEN + 1];

	if (!parse_header(header, bytes, size))
		return "no record begins here";
	if (header->body_len > size - header->header_len)
		return "the record is longer than the file";
	sha1_text(bytes + header->header_len, header->body_len, sha1);
	if (strcasecmp(sha1, header->sha1))
		return "the record's SHA-1 is wrong";
	return NULL;
}

/* Is there a good record somewhere after the bad one at offset? */
static bool good_record_after(const struct log_reader *reader)
{
	const char *p = reader->bytes + reader->offset + 1;
	const char *end = reader->bytes + reader->size;
	struct header header;

	for (int tries = 0; p < end; tries++) {
		p = memmem(p, (size_t)(end - p), MAGIC, MAGIC_LEN);
		if (!p)
			return false;
		if (!check_record(&header, p, (size_t)(end - p)))
			return true;
		if (tries >= MAX_TRIES)
			return true; /* rather refuse than cut off */
		p++;
	}
	return false;
}

enum log_result log_read(struct log_reader *reader, json_t **json,
			 const char **why)
{
	const char *bytes = reader->bytes + reader->offset;
	struct header header;

	*json = NULL;
	*why = NULL;
	if (reader->offset >= reader->size)
		return LOG_END;
	*why = check_record(&header, bytes, reader->size - reader->offset);
	if (*why)
		return good_record_after(reader) ? LOG_DAMAGED : LOG_TORN;
	*json = json_loadb(bytes + header.header_len, header.body_len,
			   JSON_REJECT_DUPLICATES, NULL);
	if (!*json) {
		/* It was written whole, so not torn. */
		*why = "the record is not JSON";
		return LOG_DAMAGED;
	}
	reader->offset += header.header_len + header.body_len;
	return LOG_RECORD;
}

/* --- writing ----------------------------------------------------------- */

char *log_format(const json_t *json, size_t *size)
{
	size_t n = json_dumpb(json, NULL, 0, JSON_COMPACT);
	char *bytes = xmalloc(MAX_HEADER + n + 2);
	char sha1[SHA1_LEN + 1];
	char *body = bytes + MAX_HEADER;
	int header_len;

	/* The header's length is known only after the body's. */
	json_dumpb(json, body, n, JSON_COMPACT);
	body[n++] = '\n';
	sha1_text(body, n, sha1);
	header_len = sprintf(bytes, MAGIC "%zu %s", n, sha1);
	bytes[header_len++] = '\n';
	memmove(bytes + header_len, body, n);
	*size = (size_t)header_len + n;
	return bytes;
}

int log_append(int fd, uint64_t offset, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = pwrite(fd, bytes, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		bytes += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

static int sync_directory(const char *path)
{
	char *copy = xstrdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	free(copy);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		error = -errno;
	close(fd);
	return error;
}

static int write_records(int fd, const json_t *first, const json_t *second,
			 uint64_t *size)
{
	const json_t *records[] = { first, second };
	int error = 0;

	*size = 0;
	for (size_t i = 0; !error && i < ARRAY_SIZE(records); i++) {
		size_t n;
		char *bytes;

		if (!records[i])
			continue;
		bytes = log_format(records[i], &n);
		error = log_append(fd, *size, bytes, n);
		*size += n;
		free(bytes);
	}
	if (!error && fdatasync(fd))
		error = -errno;
	return error;
}

/* The new file gets who may read the old one. */
static int copy_mode(int fd, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (fchown(fd, st.st_uid, st.st_gid) && errno != EPERM)
		return -errno;
	return fchmod(fd, st.st_mode & 07777) ? -errno : 0;
}

static int put_in_place(const char *tmp, const char *path, bool replace)
{
	if (replace)
		return rename(tmp, path) ? -errno : 0;
	/* link() is the rename that never replaces. */
	if (link(tmp, path))
		return -errno;
	unlink(tmp);
	return 0;
}

int log_write_file(const char *path, bool replace, const json_t *first,
		   const json_t *second, uint64_t *size, char **errp)
{
	char *tmp = xasprintf("%s.tmp", path);
	int error, fd;

	unlink(tmp);
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		  0640);
	if (fd < 0) {
		error = set_error(errp, -errno, "%s: cannot be made: %s", tmp,
				  strerror(errno));
		free(tmp);
		return error;
	}
	error = replace ? copy_mode(fd, path) : 0;
	if (!error)
		error = write_records(fd, first, second, size);
	if (!error)
		error = put_in_place(tmp, path, replace);
	if (error) {
		close(fd);
		unlink(tmp);
		free(tmp);
		return set_error(errp, error, "%s: cannot be written: %s", path,
				 strerror(-error));
	}
	free(tmp);
	error = sync_directory(path);
	if (error)
		log_warn("%s: its directory could not be synced: %s", path,
			 strerror(-error));
	return fd;
}
