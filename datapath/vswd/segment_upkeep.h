/* The gateway's own stations in the FDBs of its bridges. */
#ifndef VSWD_SEGMENT_UPKEEP_H
#define VSWD_SEGMENT_UPKEEP_H

#include "vswd/segment.h"

/* The FDB's key of a gateway's port. */
fdb_key segment_station_key(const struct vport *v);
/* Static entries for its ports as they are now; those of former ones end. */
void segment_set_stations(struct segment *seg);

#endif
