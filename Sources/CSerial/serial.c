// The hook of Swift's concurrency runtime for jobs of the global executor (stdlib/public/Concurrency/GlobalExecutor.cpp),
// which swift-concurrency-extras uses as well. Swift itself cannot name it.

#include "serial.h"

#include <stdint.h>

#define SWIFT_CALL __attribute__((swiftcall))

typedef void (*original)(void *job) SWIFT_CALL;

extern void (*swift_task_enqueueGlobal_hook)(void *job, original) SWIFT_CALL;
extern void swift_job_run(void *job, void *identity, uintptr_t implementation) SWIFT_CALL;

static serial_taker taker;

static void SWIFT_CALL take(void *job, original _Nonnull unused) {
  (void)unused;
  taker(job);
}

void serial_take_jobs(serial_taker given) {
  taker = given;
  swift_task_enqueueGlobal_hook = take;
}

void serial_run_job(void *job) {
  // No identity and no implementation: the generic executor.
  swift_job_run(job, 0, 0);
}
