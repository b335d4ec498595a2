// The few system calls that Swift cannot reach, and libnftables loaded when it is first needed.
//
// Every function that can fail returns 0 or an errno value, or a descriptor and a negated errno value; none
// prints, none keeps state but the loaded library.

#ifndef CLINUX_H
#define CLINUX_H

#include <stdbool.h>
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

/// O_PATH, which glibc shows with _GNU_SOURCE only: opens a place in a file system, not what is there.
#define CLINUX_PATH_ONLY 010000000

/// Opens a file below a folder as if that were the root: links lead nowhere else; negated errno on failure.
int clinux_open_within(int root, const char *path, int flags);

/// Whether somebody takes connections on a socket of a file system, opened with O_PATH.
bool clinux_serves(int socket_file);

/// Moves the calling thread where a target is, for good; -1 or NULL for what stays; 0 or errno.
///
/// The files of the folder `overlay` stand for those of the same name in /etc.
int clinux_become_target(int network, const char *overlay, int mounts, int root, unsigned user);

/// Looks a name up as any program here would and writes its addresses, parted by blanks; 0 or what
/// `clinux_lookup_problem` has words for. It waits as long as the resolver library does.
int clinux_lookup(const char *name, char *text, size_t room);
const char *clinux_lookup_problem(int problem);
/// Has the kernel kill this process when the thread that started it ends; 0 or errno.
int clinux_die_with_parent(void);

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
