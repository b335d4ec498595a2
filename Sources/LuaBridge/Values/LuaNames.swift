// "Did you mean": the nearest of the known names.

/// Finds the name that somebody meant.
public enum LuaNames {
    private static let longestName = 64

    /// The known name with the fewest edits, nil when none is near.
    ///
    /// An insertion, deletion, replacement or swap of neighbours is one edit; up to a third of the
    /// name's length, and at least one, is near. Of equals the first in the alphabet is taken.
    public static func nearest(to name: String, among known: some Sequence<String>) -> String? {
        guard name.count <= longestName else { return nil }
        let bound = max(1, name.count / 3)
        let distances = known.filter { $0.count <= longestName }.map { (edits(name, $0), $0) }
        guard let best = distances.min(by: <), best.0 <= bound else { return nil }
        return best.1
    }

    /// `; did you mean NAME?`, or nothing.
    static func hint(_ name: String, among known: some Sequence<String>, prefix: String = "")
        -> String
    {
        guard let nearest = nearest(to: name, among: known) else { return "" }
        return "; did you mean \(prefix)\(nearest)?"
    }

    private static func edits(_ left: String, _ right: String) -> Int {
        let left = Array(left), right = Array(right)
        var rows = [Array(0...right.count)]
        for row in 1..<(left.count + 1) {
            var line = [row]
            for column in 1..<(right.count + 1) {
                let same = left[row - 1] == right[column - 1]
                var cost = min(
                    rows[row - 1][column] + 1,
                    line[column - 1] + 1,
                    rows[row - 1][column - 1] + (same ? 0 : 1)
                )
                if row > 1, column > 1, left[row - 1] == right[column - 2],
                    left[row - 2] == right[column - 1]
                {
                    cost = min(cost, rows[row - 2][column - 2] + 1)
                }
                line.append(cost)
            }
            rows.append(line)
        }
        return rows[left.count][right.count]
    }
}
