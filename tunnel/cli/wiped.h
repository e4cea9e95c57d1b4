/* Memory of libcrypto that is wiped when it is freed. Its decoders leave private keys, its BIOs and
 * parameters pass phrases in memory that it frees as it is. */
#ifndef USI_CLI_WIPED_H
#define USI_CLI_WIPED_H

/* For all of the process, before anything else is asked of libcrypto: returns -1 if it is too late.
 * Any thread may then use libcrypto as before. */
int wiped_begin(void);

#endif
