/*
 * Descriptors that a front end sent, and nobody here wants. Closing one may
 * take as long as its sender likes: a socket that lingers, a file of a file
 * system that the sender serves (FUSE is asked to flush it).
 */
#ifndef VHOST_FOREIGN_FD_H
#define VHOST_FOREIGN_FD_H

#include <stdbool.h>

/* Any thread: closes fd, soon, without waiting for that. -1: nothing. */
void foreign_fd_close(int fd);

bool foreign_fd_is_eventfd(int fd);

#endif
