// What a GameDay needs of the world.

package import ChaosModel

/// An experiment that is ready to run, once.
package protocol ExperimentRun: Sendable {
    /// Its title.
    var title: String { get }

    /// Runs it to its report, which is always made.
    func run() async -> RunReport

    /// Stops it; its faults are reverted whatever happens.
    func stop(_ reason: String) async
}

/// Where experiments come from.
package protocol ExperimentSource: Sendable {
    /// The title and the digest of an experiment as it is now.
    ///
    /// - Throws: what is wrong with it.
    func look(at reference: ExperimentReference) async throws(DefinitionError) -> (
        title: String, digest: String
    )

    /// The digest of the GameDay itself as it is now.
    ///
    /// - Throws: what is wrong with it.
    func digestOfDay() async throws(DefinitionError) -> String

    /// Makes it ready.
    ///
    /// - Parameters:
    ///   - reference: Which.
    ///   - whenAborted: Is called with the reason when its run begins to be aborted.
    /// - Returns: its one run.
    /// - Throws: what is wrong with it.
    func prepare(
        _ reference: ExperimentReference,
        whenAborted: @escaping @Sendable (String) -> Void
    ) async throws(DefinitionError) -> any ExperimentRun

    /// Where the report of a run was kept.
    func reportFile(of report: RunReport) -> String?
}

/// Sees to it that the system is well before an experiment.
package protocol HealthCheck: Sendable {
    /// Waits until every metric is healthy; returns why it is not by then, or nil.
    func awaitHealthy(within limit: Duration) async -> String?
}

/// Keeps the state of a day, so that it can go on after a crash.
package protocol DayStore: Sendable {
    /// Stores the report so far, whole or not at all.
    func save(_ report: GameDayReport) throws(KernelError)
}

/// Is told of a day as it goes on.
package protocol DayObserver: Sendable {
    /// Something happened.
    func happened(_ event: GameDayReport.Event)

    /// Where the day is: what it does now, and until when if that is known (seconds since 1970).
    func now(_ place: DayPlace, until: Double?)
}

/// What a GameDay needs of the world.
package struct DaySurroundings: Sendable {
    /// Where experiments come from.
    package var experiments: any ExperimentSource
    /// The health check; nil when the day has none.
    package var health: (any HealthCheck)?
    /// Where gates are answered.
    package var approvals: any ApprovalPort
    /// Who is told.
    package var notifications: Notifications
    /// Where the day's state is kept.
    package var store: any DayStore
    /// Who watches.
    package var observer: any DayObserver
    /// Time.
    package var time: any TimePort
    /// What masks secrets in whatever is told or kept.
    package var redactor: Redactor

    /// Makes surroundings from their parts.
    package init(
        experiments: any ExperimentSource,
        health: (any HealthCheck)?,
        approvals: any ApprovalPort,
        notifications: Notifications,
        store: any DayStore,
        observer: any DayObserver,
        time: any TimePort,
        redactor: Redactor = Redactor()
    ) {
        self.experiments = experiments
        self.health = health
        self.approvals = approvals
        self.notifications = notifications
        self.store = store
        self.observer = observer
        self.time = time
        self.redactor = redactor
    }
}

/// Where a day is.
package struct DayPlace: Sendable, Hashable {
    /// What it does, in words.
    package var activity: String
    /// How many experiments have ended, and how many there are.
    package var done: Int
    package var count: Int
    /// The titles of those that have not had their turn, in the order in which the GameDay lists them.
    package var next: [String]

    /// Makes a place from its parts.
    package init(_ activity: String, done: Int, count: Int, next: [String]) {
        self.activity = activity
        self.done = done
        self.count = count
        self.next = next
    }
}
