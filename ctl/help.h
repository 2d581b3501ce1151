/* Help texts, made from the tables of commands and options. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

struct tables;

/* Prints help on everything (NULL) or one command. Returns the exit status. */
int help(const char *command);
/* For completion: "[--option] ...,COMMAND,ARGS", one a line. */
void help_list_commands(void);
/* The same: "TABLE: COLUMN COLUMN...", one table a line. */
void help_list_schema(struct tables *tables);
/* "TABLE KEY [WORD...]" of what vswd takes in other_config. */
void help_list_settings(void);

#endif
