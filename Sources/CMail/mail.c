// SMTP is libcurl's: what is here is the way from a letter to its options.

#include "cmail.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

// libcurl, as far as it is used.
static struct {
    __typeof__(&curl_global_init) global_init;
    __typeof__(&curl_easy_init) easy_init;
    // The prototype is variadic, and so must the pointer be.
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    __typeof__(&curl_easy_perform) easy_perform;
    __typeof__(&curl_easy_cleanup) easy_cleanup;
    __typeof__(&curl_easy_strerror) easy_strerror;
    __typeof__(&curl_slist_append) slist_append;
    __typeof__(&curl_slist_free_all) slist_free_all;
    const char *problem;
} curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    static const char missing[] = "libcurl.so.4 is not installed (Debian: libcurl4)";
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        curl.problem = missing;
        return;
    }
    *(void **)&curl.global_init = dlsym(library, "curl_global_init");
    *(void **)&curl.easy_init = dlsym(library, "curl_easy_init");
    *(void **)&curl.easy_setopt = dlsym(library, "curl_easy_setopt");
    *(void **)&curl.easy_perform = dlsym(library, "curl_easy_perform");
    *(void **)&curl.easy_cleanup = dlsym(library, "curl_easy_cleanup");
    *(void **)&curl.easy_strerror = dlsym(library, "curl_easy_strerror");
    *(void **)&curl.slist_append = dlsym(library, "curl_slist_append");
    *(void **)&curl.slist_free_all = dlsym(library, "curl_slist_free_all");
    if (!curl.global_init || !curl.easy_init || !curl.easy_setopt || !curl.easy_perform ||
        !curl.easy_cleanup || !curl.easy_strerror || !curl.slist_append || !curl.slist_free_all) {
        curl.problem = "libcurl.so.4 lacks a function that is needed";
    } else if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        curl.problem = "libcurl could not be started";
    }
}

// What is left of a letter.
struct rest {
    const char *text;
    size_t length;
};

static size_t give(char *buffer, size_t size, size_t count, void *context) {
    struct rest *rest = context;
    size_t room = size * count;
    size_t taken = rest->length < room ? rest->length : room;
    memcpy(buffer, rest->text, taken);
    rest->text += taken;
    rest->length -= taken;
    return taken;
}

// The server's last refusal, which libcurl's own words leave out.
struct refusal {
    char line[200];
};

static size_t hear(char *line, size_t size, size_t count, void *context) {
    struct refusal *refusal = context;
    size_t length = size * count;
    // Replies to commands come here a line each; 4yz and 5yz say no (RFC 5321, 4.2.1).
    if (length < 4 || (line[0] != '4' && line[0] != '5')) return length;
    size_t kept = length < sizeof refusal->line ? length : sizeof refusal->line - 1;
    while (kept > 0 && (line[kept - 1] == '\r' || line[kept - 1] == '\n')) kept--;
    memcpy(refusal->line, line, kept);
    refusal->line[kept] = 0;
    return length;
}

static CURLcode perform(CURL *handle, const struct cmail_letter *letter,
                        const struct curl_slist *receivers, struct rest *rest,
                        struct refusal *refusal, char *answer) {
    curl.easy_setopt(handle, CURLOPT_ERRORBUFFER, answer);
    curl.easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl.easy_setopt(handle, CURLOPT_URL, letter->server);
    curl.easy_setopt(handle, CURLOPT_USE_SSL,
                     (long)(letter->allows_plain ? CURLUSESSL_TRY : CURLUSESSL_ALL));
    curl.easy_setopt(handle, CURLOPT_TIMEOUT_MS, letter->patience_ms);
    curl.easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, letter->patience_ms);
    curl.easy_setopt(handle, CURLOPT_MAIL_FROM, letter->from);
    curl.easy_setopt(handle, CURLOPT_MAIL_RCPT, receivers);
    if (letter->user) curl.easy_setopt(handle, CURLOPT_USERNAME, letter->user);
    if (letter->password) curl.easy_setopt(handle, CURLOPT_PASSWORD, letter->password);
    if (letter->ca_file) curl.easy_setopt(handle, CURLOPT_CAINFO, letter->ca_file);
    curl.easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl.easy_setopt(handle, CURLOPT_READFUNCTION, give);
    curl.easy_setopt(handle, CURLOPT_READDATA, rest);
    curl.easy_setopt(handle, CURLOPT_HEADERFUNCTION, hear);
    curl.easy_setopt(handle, CURLOPT_HEADERDATA, refusal);
    return curl.easy_perform(handle);
}

int cmail_send(const struct cmail_letter *letter, char answer[CMAIL_ANSWER]) {
    _Static_assert(CMAIL_ANSWER >= CURL_ERROR_SIZE, "libcurl writes its answer there");
    answer[0] = 0;
    pthread_once(&once, load);
    if (curl.problem) {
        snprintf(answer, CMAIL_ANSWER, "%s", curl.problem);
        return -1;
    }
    CURL *handle = curl.easy_init();
    struct curl_slist *receivers = NULL;
    for (const char *const *to = letter->to; *to; to++) {
        receivers = curl.slist_append(receivers, *to);
    }
    if (!handle || !receivers) {
        snprintf(answer, CMAIL_ANSWER, "no memory, or no receiver");
        curl.slist_free_all(receivers);
        if (handle) curl.easy_cleanup(handle);
        return -1;
    }
    struct rest rest = {letter->text, letter->length};
    struct refusal refusal = {""};
    CURLcode code = perform(handle, letter, receivers, &rest, &refusal, answer);
    if (code != CURLE_OK && !answer[0]) {
        snprintf(answer, CMAIL_ANSWER, "%s", curl.easy_strerror(code));
    }
    if (code != CURLE_OK && refusal.line[0]) {
        size_t length = strlen(answer);
        snprintf(answer + length, CMAIL_ANSWER - length, "; the server said: %s", refusal.line);
    }
    curl.slist_free_all(receivers);
    curl.easy_cleanup(handle);
    return (int)code;
}
