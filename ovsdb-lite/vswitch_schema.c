/* The Open_vSwitch schema, carried in the program as the file's own text. */
#include "ovsdb-lite/schema.h"

__asm__(".pushsection .rodata\n"
	"vsw_vswitch_schema:\n"
	".incbin \"ovsdb-lite/vswitch.ovsschema\"\n"
	"vsw_vswitch_schema_end:\n"
	".byte 0\n"
	".popsection\n");

extern const char vsw_vswitch_schema[], vsw_vswitch_schema_end[];

const char *ovsdb_vswitch_schema(size_t *len)
{
	*len = (size_t)(vsw_vswitch_schema_end - vsw_vswitch_schema);
	return vsw_vswitch_schema;
}
