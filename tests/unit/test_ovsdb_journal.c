/* The file of a database: opening, torn and damaged files, compaction. */
#include "tests/unit/ovsdb_testing.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ovsdb-lite/journal.h"

struct fixture {
	char *dir, *path;
	struct ovsdb_journal *journal;
	struct ovsdb_db *db;
};

static void open_it(struct fixture *f)
{
	char *why = NULL;

	if (ovsdb_journal_open(&f->journal, &f->db, f->path, &why))
		fail_msg("%s", why);
}

static void close_it(struct fixture *f)
{
	ovsdb_db_destroy(f->db);
	ovsdb_journal_close(f->journal);
	f->db = NULL;
	f->journal = NULL;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct ovsdb_schema *schema = parse_schema(small_schema);

	f->dir = make_directory();
	f->path = xasprintf("%s/conf.db", f->dir);
	assert_int_equal(ovsdb_journal_create(f->path, schema, NULL), 0);
	ovsdb_schema_destroy(schema);
	open_it(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close_it(f);
	remove_directory(f->dir);
	free(f->path);
	free(f);
	return 0;
}

static char *slurp(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*size = (size_t)st.st_size;
	bytes = xmalloc(*size + 1);
	assert_int_equal(read(fd, bytes, *size), *size);
	bytes[*size] = '\0';
	close(fd);
	return bytes;
}

static void spew(const char *path, const char *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);

	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

/* All rows, without what differs from run to run. */
static json_t *content(struct ovsdb_db *db)
{
	json_t *json = ovsdb_db_snapshot(db);

	json_object_del(json, "_date");
	json_object_del(json, "_comment");
	return json;
}

static void fill(struct ovsdb_db *db)
{
	check_run_error(
		db,
		"[{'op':'insert','table':'A','row':{'name':'a','n':1,'ep':4,"
		"'strong':['set',[['named-uuid','p'],['named-uuid','q']]]}},"
		"{'op':'insert','table':'B','uuid-name':'p','row':{'x':1}},"
		"{'op':'insert','table':'B','uuid-name':'q','row':{'x':2}},"
		"{'op':'comment','comment':'first'}]",
		"");
	check_run_error(
		db,
		"[{'op':'mutate','table':'A','where':[],'mutations':["
		"['strong','insert',['named-uuid','r']],['n','+=',4],"
		"['m','insert',['map',[['k','v'],['l','w']]]]]},"
		"{'op':'insert','table':'B','uuid-name':'r','row':{'x':3}}]",
		"");
	check_run_error(db,
			"[{'op':'mutate','table':'A','where':[],'mutations':["
			"['m','delete',['set',['k']]]]},"
			"{'op':'update','table':'B','where':[['x','==',2]],"
			"'row':{'x':0}}]",
			"");
}

/* Stands before the C library's: counts, and fails when told. */
static unsigned int n_syncs;
static int sync_error;

int fdatasync(int fd)
{
	n_syncs++;
	if (sync_error) {
		errno = sync_error;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static void check_syncs(struct fixture *f, const char *operations,
			unsigned int syncs)
{
	n_syncs = 0;
	check_run_error(f->db, operations, "");
	assert_int_equal(n_syncs, syncs);
}

/* On disk before the reply, but for who says that it need not be. */
static void durability(void **state)
{
	struct fixture *f = *state;
	json_t *before, *after;

	fill(f->db);
	check_syncs(f, "[{'op':'update','table':'A','where':[],'row':{'n':7}}]",
		    1);
	check_syncs(f,
		    "[{'op':'update','table':'A','where':[],'row':{'n':8}},"
		    "{'op':'commit','durable':true}]",
		    1);
	check_syncs(f,
		    "[{'op':'update','table':'A','where':[],'row':{'n':9}},"
		    "{'op':'commit','durable':false}]",
		    0);
	/* In the file it is. */
	before = content(f->db);
	close_it(f);
	open_it(f);
	after = content(f->db);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
}

/* What nobody waited for may be lost with it: all is written anew. */
static void sync_fails(void **state)
{
	struct fixture *f = *state;
	json_t *before, *after;
	struct stat old, new;

	fill(f->db);
	assert_int_equal(stat(f->path, &old), 0);
	check_syncs(f,
		    "[{'op':'update','table':'A','where':[],'row':{'n':9}},"
		    "{'op':'commit','durable':false}]",
		    0);
	sync_error = EIO;
	check_run_error(
		f->db, "[{'op':'update','table':'A','where':[],'row':{'n':1}}]",
		"I/O error");
	sync_error = 0;
	check_run_error(f->db,
			"[{'op':'update','table':'A','where':[],"
			"'row':{'r':2.5}}]",
			"");
	assert_int_equal(stat(f->path, &new), 0);
	assert_true(old.st_ino != new.st_ino);
	before = content(f->db);
	close_it(f);
	open_it(f);
	after = content(f->db);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
}

static void survives_reopening(void **state)
{
	struct fixture *f = *state;
	json_t *before, *after;
	uint64_t size;

	fill(f->db);
	before = content(f->db);
	size = ovsdb_journal_size(f->journal);
	/* Neither a change of nothing nor one of ephemeral columns is kept. */
	check_run_error(f->db,
			"[{'op':'update','table':'A','where':[],"
			"'row':{'ep':9}}]",
			"");
	check_run_error(f->db,
			"[{'op':'update','table':'A','where':[],"
			"'row':{'n':5}}]",
			"");
	assert_int_equal(ovsdb_journal_size(f->journal), size);
	close_it(f);
	open_it(f);
	after = content(f->db);
	assert_true(json_equal(before, after));
	check_run(f->db,
		  "[{'op':'select','table':'A','where':[],'columns':['ep']}]",
		  "[{'rows':[{'ep':0}]}]");
	/* References are counted again: garbage goes as before. */
	check_run_error(f->db, "[{'op':'delete','table':'A','where':[]}]", "");
	assert_int_equal(ovsdb_table_count(ovsdb_db_table(f->db, "B")), 0);
	json_decref(before);
	json_decref(after);
}

static void one_process_only(void **state)
{
	struct fixture *f = *state;
	struct ovsdb_journal *journal;
	struct ovsdb_db *db;
	char *why = NULL;
	int status;
	pid_t pid;

	assert_int_equal(ovsdb_journal_open(&journal, &db, f->path, &why),
			 -EAGAIN);
	assert_non_null(strstr(why, f->path));
	assert_null(db);
	free(why);
	pid = fork();
	if (!pid)
		_exit(ovsdb_journal_open(&journal, &db, f->path, NULL) ==
				      -EAGAIN
			      ? 0
			      : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* As after kill -9 or a power cut: any number of last bytes is missing. */
static void torn_at_each_byte(void **state)
{
	struct fixture *f = *state;
	size_t size, first, second;
	json_t *before, *after;
	char *bytes, *now;

	fill(f->db);
	first = ovsdb_journal_size(f->journal);
	before = content(f->db);
	check_run_error(f->db,
			"[{'op':'insert','table':'A','row':{'name':'last'}}]",
			"");
	second = ovsdb_journal_size(f->journal);
	close_it(f);
	bytes = slurp(f->path, &size);
	assert_int_equal(size, second);
	for (size_t cut = first; cut < second; cut++) {
		spew(f->path, bytes, cut);
		open_it(f);
		after = content(f->db);
		assert_true(json_equal(before, after));
		json_decref(after);
		assert_int_equal(ovsdb_journal_size(f->journal), first);
		close_it(f);
		now = slurp(f->path, &size);
		assert_int_equal(size, first);
		assert_memory_equal(now, bytes, size);
		free(now);
	}
	/* The right length, but the last blocks never came. */
	memset(bytes + second - 20, 0, 20);
	spew(f->path, bytes, second);
	open_it(f);
	assert_int_equal(ovsdb_journal_size(f->journal), first);
	/* And what is appended then is read. */
	check_run_error(f->db,
			"[{'op':'insert','table':'A','row':{'name':'new'}}]",
			"");
	close_it(f);
	open_it(f);
	assert_int_equal(ovsdb_table_count(ovsdb_db_table(f->db, "A")), 2);
	json_decref(before);
	free(bytes);
}

static void refuse(struct fixture *f, const char *bytes, size_t size,
		   size_t offset)
{
	char *why = NULL, *where = xasprintf("byte %zu:", offset), *now;
	size_t now_size;

	spew(f->path, bytes, size);
	assert_int_equal(ovsdb_journal_open(&f->journal, &f->db, f->path, &why),
			 -EBADMSG);
	if (!strstr(why, where))
		fail_msg("no \"%s\" in \"%s\"", where, why);
	assert_null(f->db);
	assert_null(f->journal);
	now = slurp(f->path, &now_size);
	assert_int_equal(now_size, size);
	assert_memory_equal(now, bytes, size);
	free(now);
	free(where);
	free(why);
}

/* One wrong byte anywhere before the last record. */
static void damaged_in_the_middle(void **state)
{
	struct fixture *f = *state;
	size_t start, end, size;
	char *bytes;

	start = ovsdb_journal_size(f->journal);
	check_run_error(f->db,
			"[{'op':'insert','table':'A','row':{'name':'a'}}]", "");
	end = ovsdb_journal_size(f->journal);
	check_run_error(f->db,
			"[{'op':'insert','table':'A','row':{'name':'b','n':1"
			"}}]",
			"");
	close_it(f);
	bytes = slurp(f->path, &size);
	for (size_t i = start; i < end; i++) {
		char good = bytes[i];

		bytes[i] ^= 1;
		/* Of hex digits, either case is right. */
		if (bytes[i] != good)
			refuse(f, bytes, size, start);
		bytes[i] = good;
	}
	bytes[40] ^= 1;
	refuse(f, bytes, size, 0);
	bytes[40] ^= 1;
	spew(f->path, bytes, size);
	open_it(f);
	free(bytes);
}

/* A record of this text, its sum right, after what the file has. */
static void refuse_record(struct fixture *f, const char *bytes, size_t size,
			  const char *text)
{
	char *record = xasprintf("%s\n", text), *p;
	unsigned char sum[EVP_MAX_MD_SIZE];
	char hex[41], *whole;
	int n;

	for (p = record; *p; p++)
		if (*p == '\'')
			*p = '"';
	EVP_Digest(record, strlen(record), sum, NULL, EVP_sha1(), NULL);
	for (int i = 0; i < 20; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	whole = xmalloc(size + 1024);
	memcpy(whole, bytes, size);
	n = snprintf(whole + size, 1024, "OVSDB JSON %zu %s\n%s",
		     strlen(record), hex, record);
	refuse(f, whole, size + (size_t)n, size);
	free(whole);
	free(record);
}

/* Records whose sum is right and whose content is not. */
static void wrong_content(void **state)
{
#define UUID_1 "11111111-1111-1111-1111-111111111111"
	static const char *const records[] = {
		"{'Z':{}}",
		"{'A':1}",
		"{'A':{'x':{}}}",
		"{'A':{'" UUID_1 "':1}}",
		"{'A':{'" UUID_1 "':null}}",
		"{'A':{'" UUID_1 "':{'zz':1}}}",
		"{'A':{'" UUID_1 "':{'n':'x'}}}",
		"{'A':{'" UUID_1 "':{'is':11}}}",
		"[]",
		"{",
	};
	struct fixture *f = *state;
	char *bytes;
	size_t size;

	close_it(f);
	bytes = slurp(f->path, &size);
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		refuse_record(f, bytes, size, records[i]);
	spew(f->path, bytes, size);
	open_it(f);
	free(bytes);
}

static void not_a_database(void **state)
{
	struct fixture *f = *state;

	close_it(f);
	refuse(f, "", 0, 0);
	refuse(f, "hello", 5, 0);
	refuse(f, "OVSDB JSON 5 ", 13, 0);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(ovsdb_journal_open(&f->journal, &f->db, f->path, NULL),
			 -ENOENT);
}

static void compaction(void **state)
{
	struct fixture *f = *state;
	json_t *before, *after;
	uint64_t size, most = 0;
	struct stat st;

	fill(f->db);
	assert_int_equal(chmod(f->path, 0604), 0);
	ovsdb_journal_set_compact_size(f->journal, 8192);
	for (int i = 0; i < 500; i++) {
		char *op = xasprintf("[{'op':'update','table':'A','where':[],"
				     "'row':{'n':%d}}]",
				     i);

		check_run_error(f->db, op, "");
		free(op);
		size = ovsdb_journal_size(f->journal);
		most = MAX(most, size);
	}
	assert_in_range(most, 8000, 20000);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_int_equal(st.st_mode & 0777, 0604);
	before = content(f->db);
	assert_int_equal(ovsdb_journal_compact(f->journal, NULL), 0);
	assert_in_range(ovsdb_journal_size(f->journal), 100, 2500);
	close_it(f);
	open_it(f);
	after = content(f->db);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
}

/* A record that does not fit leaves neither itself nor a part of itself. */
static void disk_full(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit = { 0 }, old;
	json_t *before, *after;

	fill(f->db);
	before = content(f->db);
	/* As if the disk ended 50 bytes further on. */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit.rlim_cur = ovsdb_journal_size(f->journal) + 50;
	limit.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	check_run_error(f->db,
			"[{'op':'insert','table':'A','row':{'name':'more'}}]",
			"I/O error");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	after = content(f->db);
	assert_true(json_equal(before, after));
	json_decref(after);
	/* There is room again. */
	check_run_error(f->db,
			"[{'op':'insert','table':'A','row':{'name':'more'}}]",
			"");
	json_decref(before);
	before = content(f->db);
	close_it(f);
	open_it(f);
	after = content(f->db);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
}

/* kill -9 at any moment: what was answered is there. */
static void killed(void **state)
{
	struct fixture *f = *state;
	int pipes[2], status;
	char last = 0, byte;
	pid_t pid;

	close_it(f);
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		open_it(f);
		ovsdb_journal_set_compact_size(f->journal, 2000);
		for (char i = 1; i < 100; i++) {
			char *op = xasprintf("[{'op':'insert','table':'A',"
					     "'row':{'name':'x%d','n':%d}}]",
					     i, i);

			json_decref(run(f->db, op));
			free(op);
			if (write(pipes[1], &i, 1) != 1)
				_exit(1);
		}
		pause();
	}
	close(pipes[1]);
	while (last < 57 && read(pipes[0], &byte, 1) == 1)
		last = byte;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	while (read(pipes[0], &byte, 1) == 1)
		last = byte;
	close(pipes[0]);
	open_it(f);
	assert_in_range(ovsdb_table_count(ovsdb_db_table(f->db, "A")), last,
			last + 1);
}

static const char newer_schema[] =
	"{'name':'T','version':'1.1.0','tables':{"
	" 'A':{'isRoot':true,'columns':{"
	"  'name':{'type':'string'},"
	"  'n':{'type':'string'},"
	"  'fresh':{'type':'integer'},"
	"  'm':{'type':{'key':'string','value':'string','min':0,"
	"       'max':'unlimited'}},"
	"  'strong':{'type':{'key':{'type':'uuid','refTable':'B'},'min':0,"
	"            'max':'unlimited'}}}},"
	" 'B':{'columns':{'x':{'type':'integer'}}}}}";

static void conversion(void **state)
{
	struct fixture *f = *state;
	struct ovsdb_schema *schema = parse_schema(newer_schema);
	char *backup = xasprintf("%s.backup1.0.0-", f->path);

	fill(f->db);
	close_it(f);
	assert_int_equal(ovsdb_journal_open_as(&f->journal, &f->db, f->path,
					       schema, NULL),
			 0);
	assert_string_equal(ovsdb_db_schema(f->db)->version, "1.1.0");
	/* n was an integer: what the new type does not allow is dropped. */
	check_run(f->db,
		  "[{'op':'select','table':'A','where':[],"
		  "'columns':['name','n','fresh','m']}]",
		  "[{'rows':[{'name':'a','n':'','fresh':0,"
		  "'m':['map',[['l','w']]]}]}]");
	assert_int_equal(ovsdb_table_count(ovsdb_db_table(f->db, "B")), 3);
	assert_int_equal(access(backup, F_OK), 0);
	close_it(f);
	/* The same again needs no conversion; an older schema changes nothing.
	 */
	assert_int_equal(unlink(backup), 0);
	assert_int_equal(ovsdb_journal_open_as(&f->journal, &f->db, f->path,
					       schema, NULL),
			 0);
	close_it(f);
	ovsdb_schema_destroy(schema);
	schema = parse_schema(small_schema);
	assert_int_equal(ovsdb_journal_open_as(&f->journal, &f->db, f->path,
					       schema, NULL),
			 0);
	assert_string_equal(ovsdb_db_schema(f->db)->version, "1.1.0");
	assert_int_not_equal(access(backup, F_OK), 0);
	ovsdb_schema_destroy(schema);
	free(backup);
}

/* The switch's schema as it was before it had segments, or as it is. */
static struct ovsdb_schema *switch_schema(bool segments)
{
	static const char *const ours[] = { "Segment", "Forward", "Lease" };
	struct ovsdb_schema *schema;
	json_t *json, *tables;
	const char *text;
	size_t len;

	text = ovsdb_vswitch_schema(&len);
	json = json_loadb(text, len, 0, NULL);
	tables = json_object_get(json, "tables");
	for (size_t i = 0; i < ARRAY_SIZE(ours) && !segments; i++)
		assert_int_equal(json_object_del(tables, ours[i]), 0);
	if (!segments)
		assert_int_equal(
			json_object_del(
				json_object_get(
					json_object_get(tables, "Bridge"),
					"columns"),
				"segment"),
			0);
	assert_null(ovsdb_schema_from_json(&schema, json));
	json_decref(json);
	return schema;
}

static const char rows_before[] =
	"[{'op':'insert','table':'Open_vSwitch','row':{'next_cfg':7,"
	"  'bridges':['named-uuid','b'],'other_config':['map',[['a','b']]]}},"
	" {'op':'insert','table':'Bridge','uuid-name':'b','row':{'name':'br0',"
	"  'ports':['named-uuid','p'],'external_ids':['map',[['x','y']]]}},"
	" {'op':'insert','table':'Port','uuid-name':'p','row':{'name':'eth0',"
	"  'tag':9,'interfaces':['named-uuid','i']}},"
	" {'op':'insert','table':'Interface','uuid-name':'i','row':"
	"  {'name':'eth0','type':'null','ofport':3}}]";

static void open_as(struct fixture *f, struct ovsdb_schema *schema)
{
	char *why = NULL;

	if (ovsdb_journal_open_as(&f->journal, &f->db, f->path, schema, &why))
		fail_msg("%s", why);
	ovsdb_schema_destroy(schema);
}

/* A database of a switch that knew no segments: nothing of it is lost. */
static void segments_are_new(void **state)
{
	struct fixture *f = *state;
	json_t *before, *after;
	struct stat st, again;

	close_it(f);
	assert_int_equal(unlink(f->path), 0);
	open_as(f, switch_schema(false));
	check_run_error(f->db, rows_before, "");
	before = content(f->db);
	close_it(f);

	open_as(f, switch_schema(true));
	after = content(f->db);
	for (int i = 0; i < 3; i++) /* which have no rows */
		json_object_del(after, i == 0	? "Segment"
				       : i == 1 ? "Forward"
						: "Lease");
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	check_run_error(
		f->db,
		"[{'op':'insert','table':'Segment','uuid-name':'s','row':{"
		"  'name':'br0','type':'nat','subnet':'10.20.0.0/24'}},"
		" {'op':'update','table':'Bridge','where':[],'row':{"
		"  'segment':['named-uuid','s']}}]",
		"");
	close_it(f);
	assert_int_equal(stat(f->path, &st), 0);

	/* From then on it is its own. */
	open_as(f, switch_schema(true));
	assert_int_equal(ovsdb_table_count(ovsdb_db_table(f->db, "Segment")),
			 1);
	assert_int_equal(stat(f->path, &again), 0);
	assert_int_equal(st.st_ino, again.st_ino);
	check_run(f->db,
		  "[{'op':'select','table':'Port','where':[],"
		  "'columns':['name','tag']}]",
		  "[{'rows':[{'name':'eth0','tag':9}]}]");
}

static void made_when_missing(void **state)
{
	struct fixture *f = *state;
	struct ovsdb_schema *schema = parse_schema(small_schema);
	struct ovsdb_schema *other = parse_schema("{'name':'Z','tables':{}}");

	close_it(f);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(ovsdb_journal_open_as(&f->journal, &f->db, f->path,
					       schema, NULL),
			 0);
	fill(f->db);
	close_it(f);
	assert_int_equal(ovsdb_journal_open_as(&f->journal, &f->db, f->path,
					       other, NULL),
			 -EINVAL);
	assert_int_equal(ovsdb_journal_create(f->path, schema, NULL), -EEXIST);
	open_it(f);
	assert_int_equal(ovsdb_table_count(ovsdb_db_table(f->db, "B")), 3);
	ovsdb_schema_destroy(schema);
	ovsdb_schema_destroy(other);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(durability),
		TEST(sync_fails),
		TEST(survives_reopening),
		TEST(one_process_only),
		TEST(torn_at_each_byte),
		TEST(damaged_in_the_middle),
		TEST(wrong_content),
		TEST(not_a_database),
		TEST(compaction),
		TEST(disk_full),
		TEST(killed),
		TEST(conversion),
		TEST(segments_are_new),
		TEST(made_when_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
