// One email by way of an SMTP server, through libcurl, which is loaded when it is first needed: nothing else of the
// program waits for it, and a host without it still runs everything else.

#ifndef CMAIL_H
#define CMAIL_H

#include <stdbool.h>
#include <stddef.h>

/// What to send, to whom, by which way.
struct cmail_letter {
    /// The server: `smtps://host:465` or `smtp://host:587`.
    const char *server;
    /// The login and its password, or NULL.
    const char *user;
    const char *password;
    /// A file with the certificates to trust instead of the system's, or NULL.
    const char *ca_file;
    /// Whether a server that offers no TLS is accepted.
    bool allows_plain;
    /// The sender's address, and those of the receivers, ended by NULL.
    const char *from;
    const char *const *to;
    /// The letter as RFC 5322 has it.
    const char *text;
    size_t length;
    /// How long it may take, in milliseconds.
    long patience_ms;
};

/// The bytes that an answer may have, its end included.
enum { CMAIL_ANSWER = 512 };

/// Sends a letter; 0, or not 0 and why in `answer`. Blocks the calling thread.
int cmail_send(const struct cmail_letter *letter, char answer[CMAIL_ANSWER]);

#endif
