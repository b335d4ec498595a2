// The few system calls that Swift cannot reach, and libnftables loaded when it is first needed.
//
// Every function that can fail returns 0 or an errno value, or a descriptor and a negated errno value; none
// prints, none keeps state but the loaded library.

#ifndef CLINUX_H
#define CLINUX_H

#include <stdbool.h>
#include <stdint.h>
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

/// Lets this process open as many files as its hard limit allows; 0 or errno.
int clinux_lift_file_limit(void);

/// Begins to trace a thread without stopping it, as the calling thread; 0 or errno.
int clinux_trace_seize(pid_t thread);

/// Asks a traced thread to stop; 0 or errno.
int clinux_trace_interrupt(pid_t thread);

/// Lets a traced, stopped thread go on, with a signal that it was about to get or 0; 0 or errno.
int clinux_trace_detach(pid_t thread, int signal);

/// Waits for a stop or the end of a thread that the calling thread traces, any when it is -1.
///
/// Returns the thread, 0 when nothing is there and `block` is false, or a negated errno.
pid_t clinux_trace_wait(pid_t thread, bool block, int *status);

/// Makes `clinux_kick` interrupt what the calling thread waits in from now on; 0 or errno.
int clinux_allow_kicks(void);

/// Interrupts the system call in which a thread of this process waits; 0 or errno.
int clinux_kick(pid_t thread);

/// The id of the calling thread.
pid_t clinux_thread(void);

/// Reads the limit of open files of a process, or sets it when `set` is true; 0 or errno.
int clinux_file_limit(pid_t pid, bool set, unsigned long long *soft, unsigned long long *hard);

/// What tasks that only take places need to know.
struct clinux_tasks {
    /// The cgroup.procs of their group; NULL for that of the agent.
    const char *procs;
    /// Their user and group; -1 for the agent's.
    uid_t user;
    gid_t group;
    /// How many, the first included.
    int count;
    /// The limit, where each place that becomes free later is taken too; 0 for no more than `count`.
    int limit;
    /// The pids.current that the limit is of; NULL where only trying tells.
    const char *current;
};

/// Starts a child of this thread with so many sleeping tasks, or as many as the kernel allows; 0 or errno.
/// No event tells of a place that becomes free: where it is to be taken, the child looks 50 times a second.
///
/// It ends when the calling thread ends, and when the other end of `lifeline` closes.
int clinux_occupy(const struct clinux_tasks *tasks, pid_t *pid, int *lifeline, int *count);

/// The page that a wrapped service and the agent share.
struct clock_page;

/// What a page says.
struct clinux_clock {
    bool held;
    int64_t offset;
    uint64_t reads;
};

/// A time namespace for what this process becomes by exec, its monotonic and boot clocks shifted; 0 or errno.
///
/// Since Linux 6.2; before, exec does not enter it.
int clinux_new_time(long long monotonic_seconds);

/// A new page, in a descriptor that programs inherit; negated errno on failure.
int clinux_clock_page(void);

/// The name of the variable that tells a service the number of that descriptor.
const char *clinux_clock_variable(void);

/// Maps a page; 0 or errno, EINVAL when it is none.
int clinux_clock_map(int descriptor, struct clock_page **page);

/// Unmaps it.
void clinux_clock_unmap(struct clock_page *page);

/// Reads it.
struct clinux_clock clinux_clock_read(struct clock_page *page);

/// Shifts the clock of a page by nanoseconds for as long as the calling thread lives; 0 or errno, EBUSY when
/// somebody else does.
///
/// The thread must use no robust mutex of its own.
int clinux_clock_take(struct clock_page *page, int64_t offset);

/// Ends that, by the thread that began it.
void clinux_clock_release(struct clock_page *page);
/// Binds the calling thread to one processor; 0 or errno.
int clinux_use_processor(int number);

/// Fills memory with bytes that no two pages have in common and that cannot be compressed.
void clinux_fill_random(void *memory, size_t size, unsigned long seed);

/// A file without a name in an open folder, close-on-exec; negated errno on failure.
int clinux_unnamed_file(int folder);

/// Allocates space for a part of a file and makes the file that long; 0 or errno.
int clinux_allocate(int descriptor, off_t offset, off_t length);

/// Writes all of an open file's file system to its disk, so that it counts what was allocated and freed; 0 or errno.
int clinux_commit(int descriptor);

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

/// Has lists show rules without counters and what else changes by itself.
void clinux_nft_leave_counters_out(struct nft_ctx *context);

/// Closes a context: the kernel removes the tables that its socket owns.
void clinux_nft_close(struct nft_ctx *context);

#endif
