// Texts with something wrong, for the parsers of what comes from outside: changed, cut, doubled, put together anew.

package import ChaosModel

extension SeededGenerator {
    /// Bytes with some of them changed, taken out, put in, cut off or doubled.
    package mutating func broken(_ whole: [UInt8]) -> [UInt8] {
        var bytes = whole
        for _ in 0..<Int.random(in: 1...6, using: &self) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &self)
            switch Int.random(in: 0..<6, using: &self) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &self)
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(UInt8.random(in: 0...255, using: &self), at: at)
            case 3: bytes.insert(contentsOf: [13, 10], at: at)
            case 4: bytes.removeLast(bytes.count - at)
            default:
                let end = Int.random(in: at..<bytes.count, using: &self)
                bytes.insert(contentsOf: bytes[at...end], at: at)
            }
        }
        return bytes
    }

    /// A text with some bytes broken, or with a piece of it exchanged for one of `words`.
    package mutating func broken(_ text: String, words: [String]) -> String {
        guard let word = words.randomElement(using: &self), Bool.random(using: &self) else {
            return String(decoding: broken(Array(text.utf8)), as: UTF8.self)
        }
        let characters = Array(text)
        let start = Int.random(in: 0...characters.count, using: &self)
        let end = Int.random(in: start...min(characters.count, start + 12), using: &self)
        return String(characters[..<start]) + word + String(characters[end...])
    }
}
