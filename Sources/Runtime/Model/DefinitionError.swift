// What is wrong with a definition. Nothing was touched when one of these is thrown; its exit code is 2.

/// A definition, option or argument that cannot be accepted.
///
/// The text says what failed, on which thing, the value given and what is allowed, for example
/// `network.partition: port must be between 1 and 65535, got 70000 (scripts/x.lua:14)`.
package struct DefinitionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The thing that is wrong: `network.partition`, `blast_radius`, `metric.http`.
    package var subject: String
    /// What is wrong with it, with the value given and what is allowed.
    package var problem: String
    /// The line of the script, where there is one.
    package var location: SourceLocation?

    /// Makes an error about `subject`.
    package init(_ subject: String, _ problem: String, at location: SourceLocation? = nil) {
        self.subject = subject
        self.problem = problem
        self.location = location
    }

    package var description: String {
        let place = location.map { " (\($0))" } ?? ""
        return "\(subject): \(problem)\(place)"
    }

    /// The same error with a location, unless it has one already.
    package func located(at place: SourceLocation?) -> DefinitionError {
        var copy = self
        copy.location = location ?? place
        return copy
    }
}

/// Names that a user may have meant.
package enum NearestName {
    /// The candidate nearest to `name` by edit distance, if it is near enough to be a slip.
    package static func of(_ name: String, among candidates: some Sequence<String>) -> String? {
        let scored = candidates.map { ($0, distance(name, $0)) }
        guard let best = scored.min(by: { ($0.1, $0.0) < ($1.1, $1.0) }) else { return nil }
        return best.1 <= max(2, name.count / 3) ? best.0 : nil
    }

    /// `; did you mean "x"?`, or the list of what is known when nothing is near.
    package static func hint(for name: String, among candidates: some Collection<String>) -> String
    {
        if let near = of(name, among: candidates) { return "; did you mean \"\(near)\"?" }
        return candidates.isEmpty
            ? "" : "; known: " + candidates.sorted().joined(separator: ", ")
    }

    private static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left)
        let right = Array(right)
        var row = Array(0...right.count)
        for (i, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                let substitution = diagonal + (character == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
