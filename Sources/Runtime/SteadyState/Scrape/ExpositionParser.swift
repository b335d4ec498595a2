// A /metrics page in the Prometheus text format (and the part of OpenMetrics that looks the same), read for the series
// of a few names. Pages come from anybody: a line that is not of our names is passed over, whatever it says.
//
// Format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

import ChaosModel

/// A sample of a page.
struct ExposedSample: Sendable, Hashable {
    let name: String
    let labels: [String: String]
    /// NaN as it came.
    let value: Double
}

/// Why a page could not be read.
struct ExpositionTrouble: Error, Sendable, Hashable, CustomStringConvertible {
    let description: String
}

/// Reads pages.
struct ExpositionParser: Sendable {
    /// The most samples of our names.
    static let mostSamples = 100_000

    /// The names that are wanted.
    let names: Set<String>

    /// The samples of the wanted names, in the order of the page.
    func samples(of page: [UInt8]) throws(ExpositionTrouble) -> [ExposedSample] {
        var found: [ExposedSample] = []
        var number = 0
        var rest = page[...]
        while !rest.isEmpty {
            let line = rest.prefix { $0 != UInt8(ascii: "\n") }
            rest = rest.dropFirst(line.count + 1)
            number += 1
            guard let name = wantedName(line) else { continue }
            var reader = LineReader(line.dropFirst(name.utf8.count))
            do throws(ExpositionTrouble) {
                found.append(try reader.sample(named: name))
            } catch {
                throw ExpositionTrouble(description: "line \(number) of the page: \(error)")
            }
            guard found.count <= Self.mostSamples else {
                throw ExpositionTrouble(
                    description: "the page has more than \(Self.mostSamples) series of \(name)"
                )
            }
        }
        return found
    }

    /// The name that a line begins with, if it is one of ours.
    private func wantedName(_ line: ArraySlice<UInt8>) -> String? {
        let name = line.prefix { !isBlank($0) && $0 != UInt8(ascii: "{") }
        guard name.count <= 512, name.count < line.count else { return nil }
        let text = String(decoding: name, as: UTF8.self)
        return names.contains(text) ? text : nil
    }
}

private func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
}

/// Reads what follows the name in one line.
private struct LineReader {
    private var rest: ArraySlice<UInt8>

    init(_ rest: ArraySlice<UInt8>) { self.rest = rest }

    mutating func sample(named name: String) throws(ExpositionTrouble) -> ExposedSample {
        skipBlanks()
        var labels: [String: String] = [:]
        if rest.first == UInt8(ascii: "{") {
            rest = rest.dropFirst()
            labels = try readLabels()
        }
        let word = readWord()
        guard let value = Self.number(word) else {
            throw ExpositionTrouble(
                description: "the value of \(name) is \"\(word.escapedForDisplay)\", no number"
            )
        }
        // A time stamp may follow, and in OpenMetrics an exemplar; neither says anything about the value.
        return ExposedSample(name: name, labels: labels, value: value)
    }

    private mutating func readLabels() throws(ExpositionTrouble) -> [String: String] {
        var labels: [String: String] = [:]
        while true {
            skipBlanks()
            if rest.first == UInt8(ascii: "}") {
                rest = rest.dropFirst()
                return labels
            }
            let name = rest.prefix { !isBlank($0) && !"={},\"".utf8.contains($0) }
            rest = rest.dropFirst(name.count)
            skipBlanks()
            guard !name.isEmpty, rest.first == UInt8(ascii: "=") else {
                throw ExpositionTrouble(description: "a label has no name or no =")
            }
            rest = rest.dropFirst()
            skipBlanks()
            labels[String(decoding: name, as: UTF8.self)] = try readText()
            skipBlanks()
            if rest.first == UInt8(ascii: ",") {
                rest = rest.dropFirst()
            } else if rest.first != UInt8(ascii: "}") {
                throw ExpositionTrouble(description: "the labels do not end")
            }
        }
    }

    /// A text in quotes, with `\\`, `\"` and `\n`.
    private mutating func readText() throws(ExpositionTrouble) -> String {
        guard rest.first == UInt8(ascii: "\"") else {
            throw ExpositionTrouble(description: "the value of a label is not in quotes")
        }
        rest = rest.dropFirst()
        var text: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let next = rest.popFirst() else { break }
                if next == UInt8(ascii: "n") {
                    text.append(UInt8(ascii: "\n"))
                } else {
                    // An unknown escape stands for itself, as Prometheus reads it.
                    if next != UInt8(ascii: "\\"), next != UInt8(ascii: "\"") { text.append(byte) }
                    text.append(next)
                }
            default: text.append(byte)
            }
        }
        throw ExpositionTrouble(description: "the value of a label does not end")
    }

    private mutating func readWord() -> String {
        skipBlanks()
        let word = rest.prefix { !isBlank($0) }
        rest = rest.dropFirst(word.count)
        return String(decoding: word.prefix(128), as: UTF8.self)
    }

    private mutating func skipBlanks() { rest = rest.drop(while: isBlank) }

    private static func number(_ word: String) -> Double? {
        switch word.lowercased() {
        case "nan": .nan
        case "+inf", "inf": .infinity
        case "-inf": -.infinity
        default: Double(word)
        }
    }
}
