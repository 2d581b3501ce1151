/*
 * vsw-tls.so is ovsdb-lite/tls_openssl.c: it lies beside vsw-ctl or in
 * ../lib/vsw from there, which are the places that vsw-ctl is linked to look
 * in.
 */
#include "ctl/tls_module.h"

#include <dlfcn.h>
#include <errno.h>

#include "ovsdb-lite/tls.h"

int tls_module_load(char **errp)
{
	void *module = dlopen("vsw-tls.so", RTLD_NOW);
	const struct tls_ops *ops =
		module ? dlsym(module, "tls_openssl") : NULL;

	if (!ops)
		return set_error(errp, -ENOENT, "TLS cannot be loaded: %s",
				 dlerror());
	tls_use(ops);
	return 0;
}
