// Searching and comparing in bytes as they came.

import Glibc

extension UnsafeRawBufferPointer {
    /// The position of a byte at or after `from`.
    @inline(__always)
    func index(of byte: UInt8, from: Int) -> Int? {
        guard let base = baseAddress, from < count,
            let found = memchr(base + from, Int32(byte), count - from)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }

    /// Whether the bytes at a position are a lower-case word, whatever their case.
    @inline(__always)
    func matches(_ word: StaticString, at start: Int) -> Bool {
        let size = word.utf8CodeUnitCount
        guard start + size <= count else { return false }
        let letters = word.utf8Start
        for index in 0..<size {
            let byte = self[start + index]
            let lower = byte >= 65 && byte <= 90 ? byte | 32 : byte
            if lower != letters[index] { return false }
        }
        return true
    }

    /// Whether a range is a word as a whole.
    func isWord(_ word: StaticString, _ range: Range<Int>) -> Bool {
        range.count == word.utf8CodeUnitCount && matches(word, at: range.lowerBound)
    }

    /// The parts of a list with commas, without blanks around them; empty parts are left out.
    func words(_ range: Range<Int>) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var start = range.lowerBound
        while start < range.upperBound {
            var end = index(of: 44, from: start) ?? range.upperBound
            if end > range.upperBound { end = range.upperBound }
            let word = trimmed(start..<end)
            if !word.isEmpty { words.append(word) }
            start = end + 1
        }
        return words
    }

    /// A range without blanks around it.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high, self[low] == 32 || self[low] == 9 { low += 1 }
        while high > low, self[high - 1] == 32 || self[high - 1] == 9 { high -= 1 }
        return low..<high
    }

    /// A range as text.
    func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: self[range]), as: UTF8.self)
    }
}
