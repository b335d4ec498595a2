// What can be wrong with the catalogue, or with what is asked of it.

import ChaosModel

/// Why the catalogue cannot do something; nothing was changed.
package struct CatalogError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of reason it is.
    package enum Kind: Sendable, Hashable {
        /// The file is damaged, another program's, or of a newer version: it is left as it is.
        case unusable
        /// There is no such name or version.
        case absent
        /// It did not work: no space, no right, somebody else holds it for too long.
        case failed
    }

    /// What kind of reason it is.
    package var kind: Kind
    /// The whole message.
    package var message: String

    /// Makes an error.
    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }

    static func leftAlone(_ path: String, _ why: String) -> CatalogError {
        CatalogError(
            .unusable,
            "the catalogue \(path.escapedForDisplay) \(why); it is left alone: move it away to begin a new one"
        )
    }
}
