// The packet worker as a program of its own, for the tests: what `moonquake worker queue` runs.

import ChaosLinux

try await QueueWorker.serve()
