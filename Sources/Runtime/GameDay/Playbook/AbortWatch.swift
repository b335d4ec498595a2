// People are told of an abort when it begins, not when the rollback and the time for recovery are over.

package import ChaosModel

/// Watches a run of a day for its abort, beside whoever watches it anyway.
package struct AbortWatch: RunObserver {
    private let observer: any RunObserver
    private let tell: @Sendable (String) -> Void

    /// Makes a watch that calls back with the reason of an abort, at once.
    package init(beside observer: any RunObserver, _ tell: @escaping @Sendable (String) -> Void) {
        self.observer = observer
        self.tell = tell
    }

    package func happened(_ event: RunEvent) { observer.happened(event) }

    package func sampled(_ metric: MetricDefinition, _ sample: Sample, isHealthy: Bool) {
        observer.sampled(metric, sample, isHealthy: isHealthy)
    }

    package func aborting(_ reason: String) { tell(reason) }
}
