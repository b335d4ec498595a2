// Characters come one by one through a function of ours, which waits for the terminal and for other threads at once: so a
// line can be given up, and told over, at any time, without a signal that would have to interrupt a system call.

#define _GNU_SOURCE
#include "clineedit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

// libedit, as far as it is used.
static struct {
    __typeof__(&el_init) init;
    __typeof__(&el_end) end;
    // The prototypes are variadic, and so must the pointers be.
    int (*set)(EditLine *, int, ...);
    int (*get)(EditLine *, int, ...);
    __typeof__(&el_gets) gets;
    __typeof__(&el_line) line;
    __typeof__(&el_insertstr) insertstr;
    __typeof__(&el_resize) resize;
    __typeof__(&el_source) source;
    __typeof__(&history_init) history_init;
    __typeof__(&history_end) history_end;
    int (*history)(History *, HistEvent *, int, ...);
    const char *problem;
} edit;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    void *library = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        edit.problem = "libedit.so.2 is not installed (Debian: libedit2)";
        return;
    }
    *(void **)&edit.init = dlsym(library, "el_init");
    *(void **)&edit.end = dlsym(library, "el_end");
    *(void **)&edit.set = dlsym(library, "el_set");
    *(void **)&edit.get = dlsym(library, "el_get");
    *(void **)&edit.gets = dlsym(library, "el_gets");
    *(void **)&edit.line = dlsym(library, "el_line");
    *(void **)&edit.insertstr = dlsym(library, "el_insertstr");
    *(void **)&edit.resize = dlsym(library, "el_resize");
    *(void **)&edit.source = dlsym(library, "el_source");
    *(void **)&edit.history_init = dlsym(library, "history_init");
    *(void **)&edit.history_end = dlsym(library, "history_end");
    *(void **)&edit.history = dlsym(library, "history");
    if (!edit.init || !edit.end || !edit.set || !edit.get || !edit.gets || !edit.line ||
        !edit.insertstr || !edit.resize || !edit.source || !edit.history_init ||
        !edit.history_end || !edit.history) {
        edit.problem = "libedit.so.2 lacks a function that is needed";
    }
}

// Entries that are kept, and bytes of the file over which it is written anew.
enum { MOST_ENTRIES = 1000, MOST_BYTES = 1 << 20 };

struct cline {
    EditLine *editor;
    History *history;
    char *history_path;
    const char *problem;
    char *prompt;
    cline_complete complete;
    void *context;
    /// Written to by other threads, to wake the one that reads.
    int wake[2];
    atomic_bool is_cancelled;
    bool is_over;
    bool is_terminal;
    /// Guards the rest.
    pthread_mutex_t lock;
    bool is_reading;
    char *said;
    size_t said_length;
};

static void write_all(int descriptor, const char *text, size_t length) {
    while (length > 0) {
        ssize_t count = write(descriptor, text, length);
        if (count < 0 && errno == EINTR) continue;
        // A terminal that is gone is no error: who watches does not matter.
        if (count <= 0) return;
        text += count;
        length -= (size_t)count;
    }
}

static void wake(struct cline *line) {
    // A full pipe wakes as well.
    if (write(line->wake[1], "", 1) < 0) return;
}

// Prints what others said meanwhile above the line, and draws the line again.
static void tell(struct cline *line) {
    pthread_mutex_lock(&line->lock);
    char *said = line->said;
    size_t length = line->said_length;
    bool is_shown = line->is_reading;
    line->said = NULL;
    line->said_length = 0;
    pthread_mutex_unlock(&line->lock);
    if (!said) return;
    static const char clear[] = "\r\033[K";
    if (line->is_terminal) write_all(STDOUT_FILENO, clear, sizeof clear - 1);
    write_all(STDOUT_FILENO, said, length);
    free(said);
    if (!is_shown) return;
    if (line->editor) {
        edit.set(line->editor, EL_REFRESH);
    } else if (line->is_terminal) {
        write_all(STDOUT_FILENO, line->prompt, strlen(line->prompt));
    }
}

// The next byte of the input; 0 at its end, -1 when the line is given up.
static int next_byte(struct cline *line, char *byte) {
    for (;;) {
        if (atomic_load(&line->is_cancelled)) return -1;
        struct pollfd files[] = {{STDIN_FILENO, POLLIN, 0}, {line->wake[0], POLLIN, 0}};
        if (poll(files, 2, -1) < 0) {
            if (errno == EINTR) continue;
            return 0;
        }
        if (files[1].revents) {
            char bytes[64];
            while (read(line->wake[0], bytes, sizeof bytes) > 0) continue;
            tell(line);
            continue;
        }
        ssize_t count = read(STDIN_FILENO, byte, 1);
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (count <= 0) line->is_over = true;
        return count > 0 ? 1 : 0;
    }
}

static struct cline *client(EditLine *editor) {
    void *found = NULL;
    edit.get(editor, EL_CLIENTDATA, &found);
    return found;
}

static int next_character(EditLine *editor, wchar_t *out) {
    struct cline *line = client(editor);
    mbstate_t state;
    memset(&state, 0, sizeof state);
    for (;;) {
        char byte;
        int got = next_byte(line, &byte);
        if (got != 1) return got;
        switch (mbrtowc(out, &byte, 1, &state)) {
        case (size_t)-2: continue;
        case (size_t)-1: *out = L'?'; return 1;
        default: return 1;
        }
    }
}

static char *prompt(EditLine *editor) { return client(editor)->prompt; }

static unsigned char complete(EditLine *editor, int character) {
    (void)character;
    struct cline *line = client(editor);
    const LineInfo *info = edit.line(editor);
    char *insert = NULL;
    char *choices = NULL;
    line->complete(line->context, info->buffer, (size_t)(info->cursor - info->buffer), &insert,
                   &choices);
    unsigned char answer = CC_ERROR;
    if (insert && *insert && edit.insertstr(editor, insert) == 0) {
        answer = CC_REFRESH;
    } else if (choices && *choices) {
        write_all(STDOUT_FILENO, "\r\n", 2);
        write_all(STDOUT_FILENO, choices, strlen(choices));
        answer = CC_REDISPLAY;
    }
    free(insert);
    free(choices);
    return answer;
}

static void open_history(struct cline *line) {
    HistEvent event;
    line->history = edit.history_init();
    if (!line->history) return;
    edit.history(line->history, &event, H_SETSIZE, MOST_ENTRIES);
    edit.history(line->history, &event, H_SETUNIQUE, 1);
    edit.set(line->editor, EL_HIST, edit.history, line->history);
    struct stat file;
    if (!line->history_path || stat(line->history_path, &file) != 0) return;
    edit.history(line->history, &event, H_LOAD, line->history_path);
    if (file.st_size > MOST_BYTES) edit.history(line->history, &event, H_SAVE, line->history_path);
}

static void open_editor(struct cline *line, const char *program) {
    // libedit counts columns by the locale's characters, also where no locale is set.
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
    line->editor = edit.init(program, stdin, stdout, stderr);
    if (!line->editor) {
        line->problem = "libedit could not be started";
        return;
    }
    edit.set(line->editor, EL_CLIENTDATA, (void *)line);
    edit.set(line->editor, EL_PROMPT, prompt);
    edit.set(line->editor, EL_EDITOR, "emacs");
    edit.set(line->editor, EL_GETCFN, next_character);
    edit.set(line->editor, EL_ADDFN, "moonquake-complete", "Completes a word", complete);
    edit.set(line->editor, EL_BIND, "^I", "moonquake-complete", NULL);
    edit.set(line->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    edit.source(line->editor, NULL);
    open_history(line);
}

struct cline *cline_open(const char *program, const char *history, cline_complete completer,
                         void *context) {
    struct cline *line = calloc(1, sizeof *line);
    if (!line) return NULL;
    if (pipe2(line->wake, O_CLOEXEC | O_NONBLOCK) != 0) {
        free(line);
        return NULL;
    }
    pthread_mutex_init(&line->lock, NULL);
    line->complete = completer;
    line->context = context;
    line->history_path = history ? strdup(history) : NULL;
    line->is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (!line->is_terminal) {
        line->problem = "this is no terminal";
        return line;
    }
    pthread_once(&once, load);
    line->problem = edit.problem;
    if (!line->problem) open_editor(line, program);
    return line;
}

bool cline_edits(const struct cline *line, const char **why) {
    *why = line->problem;
    return line->editor != NULL;
}

static char *edited(struct cline *line) {
    edit.resize(line->editor);
    int count = 0;
    const char *text = edit.gets(line->editor, &count);
    if (atomic_load(&line->is_cancelled) || line->is_over || !text || count <= 0) {
        write_all(STDOUT_FILENO, "\n", 1);
        return NULL;
    }
    return strndup(text, (size_t)count - (text[count - 1] == '\n'));
}

static char *plain(struct cline *line) {
    if (line->is_terminal) write_all(STDOUT_FILENO, line->prompt, strlen(line->prompt));
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (!memory) return NULL;
    char byte = 0;
    int got;
    while ((got = next_byte(line, &byte)) == 1 && byte != '\n') fputc(byte, memory);
    fclose(memory);
    // A last line without an end is one.
    if (got == 1 || (got == 0 && length > 0)) return text;
    free(text);
    if (line->is_terminal) write_all(STDOUT_FILENO, "\n", 1);
    return NULL;
}

char *cline_read(struct cline *line, const char *text, enum cline_end *end) {
    free(line->prompt);
    line->prompt = strdup(text);
    pthread_mutex_lock(&line->lock);
    line->is_reading = true;
    pthread_mutex_unlock(&line->lock);
    char *entered = line->editor ? edited(line) : plain(line);
    pthread_mutex_lock(&line->lock);
    line->is_reading = false;
    pthread_mutex_unlock(&line->lock);
    tell(line);
    bool is_cancelled = atomic_exchange(&line->is_cancelled, false);
    *end = entered ? CLINE_ENTERED : is_cancelled ? CLINE_CANCELLED : CLINE_OVER;
    return entered;
}

// Appends the newest entry, so that several prompts at once lose nothing of each other.
static void append(struct cline *line) {
    int descriptor = open(line->history_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "a");
    if (!file) {
        if (descriptor >= 0) close(descriptor);
        return;
    }
    // libedit writes its header where the file is empty, and counts the entries before the first that it saves.
    fseek(file, 0, SEEK_END);
    HistEvent event;
    edit.history(line->history, &event, H_NSAVE_FP, (size_t)0, file);
    fclose(file);
}

void cline_remember(struct cline *line, const char *text) {
    if (!line->history) return;
    HistEvent event;
    edit.history(line->history, &event, H_ENTER, text);
    if (line->history_path) append(line);
}

void cline_cancel(struct cline *line) {
    atomic_store(&line->is_cancelled, true);
    wake(line);
}

void cline_say(struct cline *line, int descriptor, const char *text, size_t length) {
    pthread_mutex_lock(&line->lock);
    bool waits = line->is_reading && line->is_terminal;
    char *said = waits ? realloc(line->said, line->said_length + length) : NULL;
    if (said) {
        memcpy(said + line->said_length, text, length);
        line->said = said;
        line->said_length += length;
    } else {
        write_all(descriptor, text, length);
    }
    pthread_mutex_unlock(&line->lock);
    if (said) wake(line);
}

void cline_close(struct cline *line) {
    if (line->editor) edit.end(line->editor);
    if (line->history) edit.history_end(line->history);
    close(line->wake[0]);
    close(line->wake[1]);
    pthread_mutex_destroy(&line->lock);
    free(line->said);
    free(line->prompt);
    free(line->history_path);
    free(line);
}
