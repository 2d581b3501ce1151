/* TLS for vsw-ctl, from a module that is loaded when a remote is "ssl:". */
#ifndef CTL_TLS_MODULE_H
#define CTL_TLS_MODULE_H

/* 0, or -errno with a message that names the file. */
int tls_module_load(char **errp);

#endif
