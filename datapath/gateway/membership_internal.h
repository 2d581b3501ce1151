/* What the files of membership share. */
#ifndef GATEWAY_MEMBERSHIP_INTERNAL_H
#define GATEWAY_MEMBERSHIP_INTERNAL_H

#include "gateway/membership.h"
#include "gateway/writer.h"

/* RFC 3376 4.2.12, RFC 3810 5.2.12 */
enum record_type {
	RECORD_IS_EXCLUDE = 2, /* of no source: all are wanted */
	RECORD_TO_INCLUDE = 3, /* of no source: none is */
	RECORD_TO_EXCLUDE = 4,
};

enum membership_what {
	MEMBERSHIP_NOTHING, /* not IGMP or MLD: somebody else's */
	MEMBERSHIP_BAD,
	MEMBERSHIP_OTHER, /* of no interest */
	MEMBERSHIP_QUERY,
	MEMBERSHIP_REPORT, /* IGMPv1, IGMPv2, MLDv1: one group */
};

struct membership_message {
	bool v6;
	unsigned version;	 /* of a query: 1 to 3, 1 or 2 */
	struct ip_address group; /* all zeros: a general query */
	uint32_t delay_ms;	 /* at most */
};

/* membership_read.c */
enum membership_what membership_read(const void *frame, size_t len,
				     struct membership_message *message);

/* membership_write.c: one report of IGMPv3 or MLDv2, of several records */
#define MEMBERSHIP_RECORDS_MAX                                                 \
	60 /* IPv6: 1,256 bytes, the least MTU is 1,280 */
#define MEMBERSHIP_FRAME_MAX 1300

struct membership_report {
	struct writer w;
	uint8_t *ip, *icmp;
	bool v6;
	unsigned n;
	uint8_t room[MEMBERSHIP_FRAME_MAX];
};

void membership_report_begin(struct membership_report *report,
			     const struct membership_config *config, bool v6);
void membership_report_add(struct membership_report *report,
			   enum record_type type,
			   const struct ip_address *group);
/* Returns the frame's length; it is in report->room. */
size_t membership_report_end(struct membership_report *report);
/* A message of an older version, about one group. */
size_t membership_old_message(struct membership_report *report,
			      const struct membership_config *config,
			      unsigned version, bool leave,
			      const struct ip_address *group);

#endif
