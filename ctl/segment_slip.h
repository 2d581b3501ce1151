/* Values that are nearly right: what is wrong with them, exactly. */
#ifndef CTL_SEGMENT_SLIP_H
#define CTL_SEGMENT_SLIP_H

/*
 * NULL, or what is wrong with a value of a segment's option that was refused,
 * as a sentence that says what to write; freed by the caller.
 */
char *segment_slip(const char *key, const char *value);
/* "80-79" or "ADDRESS:80-79", of a forward's ports; the same otherwise. */
char *segment_slip_ports(const char *text);

#endif
