/* "trace": what vsw-ctl does of it before vswd gets the command. */
#ifndef CTL_TRACE_H
#define CTL_TRACE_H

/*
 * An argument as vswd takes it: "pcap:FILE[:N]" becomes that packet in hex, any
 * other is copied. The caller frees it. Does not return when the file is not to
 * be read.
 */
char *trace_argument(const char *word);

#endif
