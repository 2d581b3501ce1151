/* What `vsw-vmm help` prints. */
#ifndef VMM_HOST_HELP_H
#define VMM_HOST_HELP_H

/* "  NAME ARGS      text", wrapped; `dashes` and `sep` stand around the name.
 */
void help_entry(const char *dashes, const char *name, const char *sep,
		const char *args, const char *text);

#endif
