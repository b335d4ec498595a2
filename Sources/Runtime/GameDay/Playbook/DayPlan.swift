// What a day is about to run, as it was when it was approved: the digest of the GameDay and of each of its experiments.

package import ChaosModel

/// The experiments of a day, as they were found when it began.
package struct DayPlan: Sendable, Hashable, Codable {
    /// One experiment.
    package struct Entry: Sendable, Hashable, Codable {
        /// How the GameDay names it.
        package var reference: ExperimentReference
        /// Its title.
        package var title: String
        /// The digest of its definition.
        package var digest: String
    }

    /// The experiments, in their order.
    package var entries: [Entry]
    /// The digest of everything: the GameDay's own, and each experiment's.
    package var digest: String

    /// Looks at every experiment of a day.
    ///
    /// - Throws: what is wrong with the first that cannot run.
    package init(
        _ definition: GameDayDefinition,
        from source: any ExperimentSource
    ) async throws(DefinitionError) {
        var entries: [Entry] = []
        for reference in definition.experiments {
            let found = try await source.look(at: reference)
            entries.append(Entry(reference: reference, title: found.title, digest: found.digest))
        }
        self.entries = entries
        let digests = [definition.digest] + entries.map(\.digest)
        digest = "sha256:" + SHA256.hexDigest(of: digests.joined(separator: "\n").utf8)
    }

    /// What a body means by a reference: a name that is not listed may be the title of an experiment of the same file.
    func meant(by reference: ExperimentReference) -> ExperimentReference {
        guard case .named(let name) = reference, entry(of: reference) == nil else {
            return reference
        }
        let own = ExperimentReference.inline(title: name)
        return entry(of: own) == nil ? reference : own
    }

    /// The entry of a reference.
    package func entry(of reference: ExperimentReference) -> Entry? {
        entries.first { $0.reference == reference }
    }
}
