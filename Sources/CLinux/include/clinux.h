// The few system calls that Swift cannot reach, and libnftables loaded when it is first needed.
//
// Every function that can fail returns 0 or an errno value, or a descriptor and a negated errno value; none
// prints, none keeps state but the loaded library.

#ifndef CLINUX_H
#define CLINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/// Moves the calling thread into the network namespace of an open file; 0 or errno.
int clinux_enter_network(int descriptor);

/// Moves the calling thread into a new network namespace; 0 or errno.
int clinux_enter_new_network(void);

/// Whether the loopback interface is up, in the namespace that a socket was opened in.
bool clinux_is_loopback_up(int socket);

/// Makes a pipe whose ends no other program inherits; 0 or errno.
int clinux_pipe(int ends[2]);

/// Whether an open file is a network namespace.
bool clinux_is_network_namespace(int descriptor);

/// A descriptor of a process, close-on-exec; negated errno on failure.
int clinux_pidfd_open(pid_t pid);

/// Sends a signal through a descriptor of a process; 0 or errno.
int clinux_pidfd_send_signal(int descriptor, int signal);

/// A file that has only memory behind it, close-on-exec, never 0, 1 or 2; negated errno on failure.
int clinux_memory_file(void);

/// A counter to wake a poll with, close-on-exec; negated errno on failure.
int clinux_wake_counter(void);

/// Starts a program with default signals and nothing but three descriptors; 0 or errno.
///
/// A descriptor of -1 stands for /dev/null. The program inherits the namespaces of the calling thread.
int clinux_spawn(pid_t *pid, const char *path, char *const arguments[], char *const environment[],
                 int input, int output, int error, bool new_session);

/// Has the kernel kill this process when the thread that started it ends; 0 or errno.
int clinux_die_with_parent(void);

/// Binds the calling thread to one processor; 0 or errno.
int clinux_use_processor(int number);

/// Fills memory with bytes that no two pages have in common and that cannot be compressed.
void clinux_fill_random(void *memory, size_t size, unsigned long seed);

/// A file without a name in an open folder, close-on-exec; negated errno on failure.
int clinux_unnamed_file(int folder);

/// Allocates space for a part of a file and makes the file that long; 0 or errno.
int clinux_allocate(int descriptor, off_t offset, off_t length);

/// The kind of an open file's file system, as linux/magic.h numbers it; negated errno on failure.
long clinux_file_system_kind(int descriptor);

/// Has reads and writes of an open file pass by the page cache; 0 or errno.
int clinux_pass_by_cache(int descriptor);

/// Whether the calling thread may use nf_tables in its network namespace; 0 or errno.
///
/// EPERM: no CAP_NET_ADMIN there. Others: the kernel has no nfnetlink or no nf_tables.
int clinux_nftables_probe(void);

/// libnftables' context: one netlink socket, one user at a time.
struct nft_ctx;

/// Loads libnftables; NULL, or why it cannot be loaded.
const char *clinux_nft_load(void);

/// Opens a context in the namespace of the calling thread; NULL when the library is not loaded.
///
/// Probe first: the library ends the process when it gets no netlink socket.
struct nft_ctx *clinux_nft_open(void);

/// Runs commands as one transaction; 0 or not. The texts belong to the context until its next use.
int clinux_nft_run(struct nft_ctx *context, const char *commands, const char **output, const char **error);

/// Closes a context: the kernel removes the tables that its socket owns.
void clinux_nft_close(struct nft_ctx *context);

#endif
