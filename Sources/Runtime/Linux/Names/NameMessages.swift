// What the agent asks of its two workers for names: the responder, and lookups from inside a target.

package import ChaosModel

/// A request to the responder.
package enum NameCall: Sendable, Codable {
    /// Puts a fault in force.
    case begin(NameFault)
    /// Answers one name itself for a while, whatever the rules say: to see whether lookups come here.
    case expect(NameFault, name: String)
    /// Stops that; says whether it was asked for.
    case wasAsked(NameFault, name: String)
    /// Counts.
    case count(NameFault)
    /// Ends a fault.
    case end(NameFault)
}

/// An answer of the responder.
package struct NameReply: Sendable, Codable {
    /// What a fault has done; nil when it is not in force.
    package var count: NameCount?
    /// Whether a name was asked for.
    package var wasAsked: Bool?

    /// Makes an answer.
    package init(count: NameCount? = nil, wasAsked: Bool? = nil) {
        self.count = count
        self.wasAsked = wasAsked
    }
}

/// A lookup from inside a target.
package struct LookupCall: Sendable, Codable {
    /// Where.
    package var place: NamePlace
    /// As whom; nil for the agent's user.
    package var user: UInt32?
    /// The name.
    package var name: String
}

/// What came of it.
package struct LookupReply: Sendable, Codable {
    /// The addresses, parted by blanks; nil when there are none.
    package var addresses: String?
    /// Why there are none.
    package var problem: String?
}
