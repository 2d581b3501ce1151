/* TLS files that a database names: "--private-key=db:DB,TABLE,COLUMN". */
#ifndef OVSDB_LITE_SERVER_TLS_H
#define OVSDB_LITE_SERVER_TLS_H

#include "ovsdb-lite/server.h"
#include "ovsdb-lite/tls.h"

/*
 * Makes *tls of the files. A name "db:DB,TABLE,COLUMN" stands for the value of
 * that column in the table's first row, looked up now; when there is none,
 * there is no TLS: 0 and *tls NULL.
 */
int server_tls_create(struct ovsdb_server *server,
		      const struct tls_files *files, struct tls **tls,
		      char **errp);

#endif
