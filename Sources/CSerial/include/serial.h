// Takes the jobs of Swift's tasks away from the thread pool, so that somebody can run them in an order of their own.

#ifndef CSERIAL_H
#define CSERIAL_H

/// Is given a job that is ready; on any thread.
typedef void (*serial_taker)(void *job);

/// From now on, jobs that no executor of their own runs are given to `taker`.
///
/// For the whole process, once; jobs that the pool has already stay there.
void serial_take_jobs(serial_taker taker);

/// Runs a job on this thread, as a thread of the pool would.
void serial_run_job(void *job);

#endif
