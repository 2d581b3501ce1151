/*
 * What causes a segment to be read anew, and what does not; and which of those
 * that cannot be together goes on.
 */
#include "segment_database.h"

#include <stdlib.h>
#include <string.h>

static struct segment_database f;

static int setup(void **state)
{
	segment_database_start(&f);
	return 0;
}

static int teardown(void **state)
{
	segment_database_stop(&f);
	return 0;
}

#define A "{'type':'nat','subnet':'198.18.0.0/24'}"
#define B "{'type':'nat','subnet':'198.18.1.0/24'}"

static const struct cfg_segment *get(const char *name)
{
	return segment_database_get(&f, name);
}

static void expect_error(const char *name, const char *part)
{
	const char *error = get(name)->error;

	if (!error || !strstr(error, part))
		fail_msg("%s: %s", name, error ? error : "no error");
}

/* Runs operations; whether the client told of a change. */
static bool is_told(const char *operations)
{
	unsigned before = f.changes;

	segment_database_run(&f, "%s", operations);
	return f.changes != before;
}

/* --- reading again ---------------------------------------------------------
 */

static void what_vswd_writes(void **state)
{
	const struct cfg_segment *a;
	const struct cfg_port *gateway;

	segment_database_add(&f, "a", A);
	segment_database_forward(&f, "a",
				 "{'protocol':'tcp','outside_port':22,"
				 "'inside_address':'198.18.0.5'}");
	segment_database_read(&f);
	a = get("a");
	gateway = segment_database_bridge(&f, "a")->ports[0];
	assert_false(is_told("[{'op':'update','table':'Segment','where':[],"
			     "'row':{'error':'x','status':['map',[['a','b']]],"
			     "'statistics':['map',[['n',1]]]}}]"));
	assert_false(is_told("[{'op':'update','table':'Forward','where':[],"
			     "'row':{'error':'x'}}]"));
	assert_false(is_told("[{'op':'insert','table':'Lease','uuid-name':'l',"
			     "  'row':{'address':'198.18.0.9','mac':"
			     "  '02:00:00:00:00:09','state':'bound'}},"
			     " {'op':'mutate','table':'Segment','where':[],"
			     "  'mutations':[['leases','insert',"
			     "  ['named-uuid','l']]]}]"));
	assert_false(is_told("[{'op':'update','table':'Lease','where':[],"
			     "'row':{'state':'over'}}]"));
	assert_false(is_told("[{'op':'update','table':'Segment','where':[],"
			     "'row':{'leases':['set',[]]}}]"));
	segment_database_read(&f);
	assert_ptr_equal(get("a"), a);
	assert_ptr_equal(segment_database_bridge(&f, "a")->ports[0], gateway);
	/* Leases are those of the time when it was read. */
	assert_int_equal(get("a")->n_leases, 0);
}

static void what_people_write(void **state)
{
	const struct cfg_segment *a, *b;

	segment_database_add(&f, "a", A);
	segment_database_add(&f, "b", B);
	segment_database_forward(&f, "a",
				 "{'protocol':'tcp','outside_port':22,"
				 "'inside_address':'198.18.0.5'}");
	segment_database_read(&f);
	a = cfg_segment_ref(get("a"));
	b = get("b");
	assert_true(is_told("[{'op':'update','table':'Segment',"
			    "'where':[['name','==','a']],'row':{"
			    "'options':['map',[['lease-time','99']]]}}]"));
	segment_database_read(&f);
	assert_ptr_not_equal(get("a"), a);
	assert_false(cfg_segment_equals(get("a"), a));
	assert_ptr_equal(get("b"), b);
	cfg_segment_unref((struct cfg_segment *)a);

	a = cfg_segment_ref(get("a"));
	assert_true(is_told("[{'op':'update','table':'Forward','where':[],"
			    "'row':{'inside_port':23}}]"));
	segment_database_read(&f);
	assert_ptr_not_equal(get("a"), a);
	assert_int_equal(get("a")->forwards[0].inside_port, 23);
	assert_ptr_equal(get("b"), b);
	cfg_segment_unref((struct cfg_segment *)a);

	/* The same again with other texts is another object, and equal. */
	a = cfg_segment_ref(get("a"));
	segment_database_run(&f,
			     "[{'op':'update','table':'Segment',"
			     "'where':[['name','==','a']],'row':{"
			     "'options':['map',[['lease-time','0099']]]}}]");
	segment_database_read(&f);
	assert_ptr_not_equal(get("a"), a);
	assert_true(cfg_segment_equals(get("a"), a));
	cfg_segment_unref((struct cfg_segment *)a);

	assert_true(is_told("[{'op':'update','table':'Bridge',"
			    "'where':[['name','==','a']],"
			    "'row':{'segment':['set',[]]}}]"));
	segment_database_read(&f);
	assert_null(segment_database_bridge(&f, "a")->segment);
	assert_null(segment_database_bridge(&f, "a.host"));
	assert_ptr_equal(get("b"), b);
}

/* As after another daemon has had the database meanwhile. */
static void forgotten(void **state)
{
	segment_database_add(&f, "a", A);
	segment_database_read(&f);
	segment_database_run(&f,
			     "[{'op':'insert','table':'Lease','uuid-name':'l',"
			     "  'row':{'address':'198.18.0.9','mac':"
			     "  '02:00:00:00:00:09','state':'bound'}},"
			     " {'op':'mutate','table':'Segment','where':[],"
			     "  'mutations':[['leases','insert',"
			     "  ['named-uuid','l']]]}]");
	db_view_forget(f.view);
	segment_database_read(&f);
	assert_int_equal(get("a")->n_leases, 1);
}

/* --- among others ----------------------------------------------------------
 */

static void the_first_goes_on(void **state)
{
	const struct cfg_segment *m;

	segment_database_add(&f, "m", A);
	segment_database_read(&f);
	m = get("m");
	assert_false(db_view_is_waiting(f.view));
	segment_database_add(&f, "a", A);
	segment_database_add(&f, "z", A);
	segment_database_read(&f);
	assert_ptr_equal(get("m"), m);
	assert_true(db_view_is_waiting(f.view));
	expect_error("a", "overlaps that of segment m");
	expect_error("z", "overlaps that of segment m");
	assert_null(segment_database_bridge(&f, "a.host"));
	/* Also when its settings change. */
	segment_database_set(&f, "m",
			     "{'type':'nat','subnet':'198.18.0.0/24',"
			     "'options':['map',[['mtu','1400']]]}");
	segment_database_read(&f);
	assert_null(get("m")->error);
	expect_error("a", "overlaps that of segment m");
	/* It goes elsewhere: one of the others comes in, by name. */
	segment_database_set(&f, "m", B);
	segment_database_read(&f);
	assert_null(get("m")->error);
	assert_null(get("a")->error);
	expect_error("z", "overlaps that of segment a");
	assert_non_null(segment_database_bridge(&f, "a.host"));
}

static void forwards(void **state)
{
	static const char one[] = "{'protocol':'tcp','outside_port':22,"
				  "'inside_address':'198.18.0.5'}";
	static const char range[] =
		"{'protocol':'tcp','outside_port':20,'outside_port_last':25,"
		"'inside_address':'198.18.1.5'}";

	segment_database_add(&f, "a", A);
	segment_database_add(&f, "b", B);
	segment_database_forward(&f, "b", range);
	segment_database_read(&f);
	segment_database_forward(&f, "a", one);
	segment_database_read(&f);
	assert_null(get("b")->forwards[0].error);
	assert_null(get("a")->error);
	assert_non_null(
		strstr(get("a")->forwards[0].error, "port 22 is forwarded"));
	segment_database_run(&f, "[{'op':'update','table':'Forward',"
				 "'where':[['outside_port','==',20]],"
				 "'row':{'protocol':'udp'}}]");
	segment_database_read(&f);
	assert_null(get("a")->forwards[0].error);
	assert_null(get("b")->forwards[0].error);
}

static void bridge_of_the_uplink(void **state)
{
	segment_database_add(&f, "a",
			     "{'type':'nat','subnet':'198.18.0.0/24',"
			     "'outside':'br-ext'}");
	segment_database_read(&f);
	/* All is there but the port of the bridge that is not. */
	assert_null(get("a")->error);
	assert_non_null(segment_database_interface(&f, "a", "a.gw"));
	assert_null(segment_database_bridge(&f, "br-ext"));
	segment_database_add(&f, "br-ext", NULL);
	segment_database_read(&f);
	assert_null(get("a")->error);
	assert_non_null(segment_database_interface(&f, "br-ext", "a.out"));
	segment_database_run(&f, "[{'op':'delete','table':'Bridge',"
				 "'where':[['name','==','br-ext']]},"
				 "{'op':'update','table':'Open_vSwitch',"
				 "'where':[],'row':{'bridges':['set',[]]}}]");
	segment_database_add(&f, "br-ext", NULL);
	segment_database_read(&f);
	assert_non_null(segment_database_bridge(&f, "br-ext"));
}

/* --- on by the former settings ---------------------------------------------
 */

static void expect_refused(const char *name, const char *part)
{
	const struct cfg_segment *s = get(name);

	assert_null(s->error);
	if (!s->refused || !strstr(s->refused, part))
		fail_msg("%s: %s", name, s->refused ? s->refused : "is not");
}

static void a_bad_option(void **state)
{
	const struct cfg_segment *a;

	segment_database_add(&f, "a", A);
	segment_database_forward(&f, "a",
				 "{'protocol':'tcp','outside_port':22,"
				 "'inside_address':'198.18.0.5'}");
	segment_database_read(&f);
	segment_database_run(&f, "[{'op':'update','table':'Segment','where':[],"
				 "'row':{'subnet':'198.18.1.0/24',"
				 "'options':['map',[['mtu','12']]]}}]");
	segment_database_read(&f);
	expect_refused("a", "576");
	a = get("a");
	assert_int_equal(a->ip4, 0xc6120001);
	assert_int_equal(a->mtu, 1500);
	assert_null(a->forwards[0].error);
	assert_non_null(segment_database_bridge(&f, "a.host"));
	/* Nothing else changes: nor does this. */
	assert_true(is_told("[{'op':'update','table':'Bridge','where':[],"
			    "'row':{'other_config':['map',"
			    "[['mac-aging-time','99']]]}}]"));
	segment_database_read(&f);
	assert_ptr_equal(get("a"), a);
	/* A forward that is new is not in force, one that goes is gone. */
	segment_database_forward(&f, "a",
				 "{'protocol':'tcp','outside_port':80,"
				 "'inside_address':'198.18.1.5'}");
	segment_database_read(&f);
	a = get("a");
	assert_int_equal(a->n_forwards, 2);
	for (int i = 0; i < 2; i++)
		assert_true(!a->forwards[i].error ==
			    (a->forwards[i].outside_lo == 22));
	segment_database_run(&f, "[{'op':'update','table':'Segment',"
				 "'where':[],'row':{'forwards':['set',[]]}}]");
	segment_database_read(&f);
	assert_int_equal(get("a")->n_forwards, 0);
	assert_int_equal(get("a")->ip4, 0xc6120001);
	segment_database_run(&f, "[{'op':'update','table':'Segment',"
				 "'where':[],'row':{'options':['map',[]]}}]");
	segment_database_read(&f);
	assert_null(get("a")->refused);
	assert_int_equal(get("a")->ip4, 0xc6120101);
}

/* What others want is compared with what is in force. */
static void a_subnet_of_another(void **state)
{
	segment_database_add(&f, "a", A);
	segment_database_add(&f, "b", B);
	segment_database_read(&f);
	segment_database_set(&f, "a", B);
	segment_database_read(&f);
	expect_refused("a", "overlaps that of segment b");
	assert_int_equal(get("a")->ip4, 0xc6120001);
	assert_null(get("b")->refused);
	segment_database_add(&f, "c", A);
	segment_database_read(&f);
	expect_error("c", "overlaps that of segment a");
	/* Both want the other's, and nobody can be in the other's way. */
	segment_database_set(&f, "b", A);
	segment_database_read(&f);
	assert_null(get("a")->refused);
	assert_null(get("b")->refused);
	assert_int_equal(get("a")->ip4, 0xc6120101);
	assert_int_equal(get("b")->ip4, 0xc6120001);
	expect_error("c", "overlaps that of segment b");
}

/* It has to stay where it was, and who came there goes back, too. */
static void one_after_the_other(void **state)
{
	segment_database_add(&f, "a", A);
	segment_database_add(&f, "b", B);
	segment_database_read(&f);
	segment_database_set(&f, "b", A);
	segment_database_set(&f, "a",
			     "{'type':'nat','subnet':'198.18.2.0/24',"
			     "'options':['map',[['mtu','12']]]}");
	segment_database_read(&f);
	expect_refused("a", "576");
	expect_refused("b", "overlaps that of segment a");
	assert_int_equal(get("a")->ip4, 0xc6120001);
	assert_int_equal(get("b")->ip4, 0xc6120101);
}

static void never_worked(void **state)
{
	segment_database_add(&f, "a",
			     "{'type':'nat','subnet':'198.18.0.0/24',"
			     "'options':['map',[['mtu','12']]]}");
	segment_database_read(&f);
	expect_error("a", "576");
	assert_null(segment_database_bridge(&f, "a.host"));
	segment_database_set(&f, "a", A);
	segment_database_read(&f);
	assert_null(get("a")->error);
	/* Another row of the bridge has not worked either. */
	segment_database_run(
		&f, "[{'op':'insert','table':'Segment','uuid-name':'s',"
		    "'row':{'name':'a','type':'nat'}},{'op':'update',"
		    "'table':'Bridge','where':[],'row':{"
		    "'segment':['named-uuid','s']}}]");
	segment_database_read(&f);
	expect_error("a", "needs a subnet");
	assert_null(get("a")->refused);
}

#define BY(bridge, net)                                                        \
	"{'type':'nat','subnet':'198.18." net ".0/24','outside':'" bridge "'}"

static void one_behind_the_other(void **state)
{
	segment_database_add(&f, "a", A);
	segment_database_add(&f, "b", BY("a", "1"));
	segment_database_add(&f, "c", BY("b", "2"));
	segment_database_read(&f);
	assert_null(get("b")->error);
	assert_null(get("c")->error);
	assert_non_null(segment_database_interface(&f, "a", "b.out"));
	assert_non_null(segment_database_interface(&f, "b", "c.out"));
	/* Round: who made it so stays as it was. */
	segment_database_set(&f, "a", BY("c", "0"));
	segment_database_read(&f);
	expect_refused("a", "leads back to a, as the outside of segment b");
	assert_int_equal(get("a")->outside, OUTSIDE_HOST);
	assert_null(get("b")->refused);
	assert_null(get("c")->refused);
	/* New together: the last by name is not made. */
	segment_database_add(&f, "y", BY("z", "3"));
	segment_database_add(&f, "z", BY("y", "4"));
	segment_database_read(&f);
	assert_null(get("y")->error);
	expect_error("z", "leads back to z");
}

static void name_of_the_bridge(void **state)
{
	segment_database_add(&f, "a", A);
	segment_database_add(&f, "a.host", NULL);
	segment_database_read(&f);
	expect_error("a", "another name");
	assert_false(segment_database_bridge(&f, "a.host")->made_up);
	/* What another segment makes up is no bridge to go out by. */
	segment_database_add(&f, "b", B);
	segment_database_add(&f, "c", BY("b.host", "2"));
	segment_database_read(&f);
	assert_null(get("c")->error);
	assert_true(segment_database_bridge(&f, "b.host")->made_up);
	assert_null(segment_database_interface(&f, "b.host", "c.out"));
}

/* A bridge that came later takes the segment's name: there is no way on. */
static void former_is_no_way(void **state)
{
	segment_database_add(&f, "a", A);
	segment_database_read(&f);
	segment_database_add(&f, "a.host", NULL);
	segment_database_read(&f);
	expect_error("a", "another name");
	segment_database_set(&f, "a", B);
	segment_database_read(&f);
	expect_error("a", "another name");
	assert_null(get("a")->refused);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_vswd_writes),
		TEST(what_people_write),
		TEST(forgotten),
		TEST(the_first_goes_on),
		TEST(forwards),
		TEST(bridge_of_the_uplink),
		TEST(name_of_the_bridge),
		TEST(former_is_no_way),
		TEST(a_bad_option),
		TEST(a_subnet_of_another),
		TEST(one_after_the_other),
		TEST(never_worked),
		TEST(one_behind_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
