// A line of a person at a terminal, through libedit, which is loaded when it is first needed: nothing else of the
// program waits for it, and a host without it reads plain lines.
//
// One thread reads. Any thread may speak above the line that is being edited, or end it.

#ifndef CLINEEDIT_H
#define CLINEEDIT_H

#include <stdbool.h>
#include <stddef.h>

/// An editor.
struct cline;

/// What reading a line came to.
enum cline_end {
    /// A line was entered.
    CLINE_ENTERED,
    /// There is no more input: Ctrl-D on an empty line, the end of a file, a terminal that is gone.
    CLINE_OVER,
    /// The line was given up, by `cline_cancel`.
    CLINE_CANCELLED,
};

/// Completes a text up to the cursor.
///
/// Both answers are NULL, or from malloc: what to insert, and the choices as lines, when there are several.
typedef void (*cline_complete)(void *context, const char *text, size_t length, char **insert,
                               char **choices);

/// Opens an editor of standard input and output; NULL when there is no memory.
///
/// Without a terminal, or without libedit, lines are read as they come. `history` is a file or NULL.
struct cline *cline_open(const char *program, const char *history, cline_complete complete,
                         void *context);

/// Whether lines are edited; else why not, in words.
bool cline_edits(const struct cline *line, const char **why);

/// Reads a line, without its end; from malloc, NULL unless one was entered.
char *cline_read(struct cline *line, const char *prompt, enum cline_end *end);

/// Remembers a line, in memory and in the file.
void cline_remember(struct cline *line, const char *text);

/// Gives up the line that is being read, or that is read next. From any thread.
void cline_cancel(struct cline *line);

/// Writes whole lines, above the one that is being edited. From any thread.
void cline_say(struct cline *line, int descriptor, const char *text, size_t length);

/// Closes an editor that nobody reads from any more.
void cline_close(struct cline *line);

#endif
