// Sends notices as email. Speaking SMTP, with TLS and a login, is libcurl's.

import CMail
import ChaosModel
import Dispatch

/// Sends an email.
struct EmailSender: NoticeSender {
    let email: Notifier.Email
    /// How long one letter may take.
    let patience: Duration

    func send(_ notice: Notice) async throws {
        let letter = Letter(notice, from: email.from, to: email.to)
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            // libcurl blocks: not on a thread of Swift's pool.
            DispatchQueue.global().async {
                done.resume(with: Result { try deliver(letter.text) })
            }
        }
    }

    private func deliver(_ text: String) throws {
        let arena = CStrings()
        var receivers: [UnsafePointer<CChar>?] = email.to.map { arena.pointer($0) }
        receivers.append(nil)
        var answer = [CChar](repeating: 0, count: Int(CMAIL_ANSWER))
        let code = receivers.withUnsafeBufferPointer { to in
            var letter = cmail_letter()
            letter.server = arena.pointer(email.via)
            letter.user = email.user.map(arena.pointer)
            letter.password = email.password.map(arena.pointer)
            letter.ca_file = email.caFile.map(arena.pointer)
            letter.allows_plain = email.allowsPlain
            letter.from = arena.pointer(email.from)
            letter.to = to.baseAddress
            letter.text = arena.pointer(text)
            letter.length = text.utf8.count
            letter.patience_ms = Int(patience.inMilliseconds)
            return cmail_send(&letter, &answer)
        }
        guard code == 0 else {
            let end = answer.firstIndex(of: 0) ?? answer.endIndex
            let why = String(decoding: answer[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw NoticeRefused(reason: why)
        }
    }
}

/// Texts for C, which live as long as this does.
private final class CStrings {
    private var pointers: [UnsafeMutablePointer<CChar>] = []

    func pointer(_ text: String) -> UnsafePointer<CChar> {
        let bytes = text.utf8CString
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        bytes.withUnsafeBufferPointer { source in
            guard let base = source.baseAddress else { return }
            copy.initialize(from: base, count: bytes.count)
        }
        pointers.append(copy)
        return UnsafePointer(copy)
    }

    deinit {
        for pointer in pointers { pointer.deallocate() }
    }
}
